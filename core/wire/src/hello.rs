//! The first word of a connection, by which a client names its protocol. It is not answered.

use bytes::{Buf, BytesMut};

use crate::error::FrameError;

/// The word of the current protocol.
pub const PROTOCOL_VERSION: u64 = 1;

/// The word of the protocol before 1.0.
pub const PROTOCOL_LEGACY: u64 = 0x8610_4dd7_6043_3fe5;

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// The current one.
    #[default]
    Current,
    /// The one before 1.0: the answer to LEADER carries an address without an id.
    Legacy,
}

impl Protocol {
    /// The eight bytes a client sends first.
    pub const fn hello(self) -> [u8; 8] {
        match self {
            Self::Current => PROTOCOL_VERSION.to_le_bytes(),
            Self::Legacy => PROTOCOL_LEGACY.to_le_bytes(),
        }
    }
}

/// Takes the client's first word off the front of `input`; `None` until all of it is there.
///
/// # Errors
/// [`FrameError::UnknownProtocol`]: close the connection.
pub fn read_hello(input: &mut BytesMut) -> Result<Option<Protocol>, FrameError> {
    let Some(word) = input.first_chunk() else {
        return Ok(None);
    };
    let protocol = match u64::from_le_bytes(*word) {
        PROTOCOL_VERSION => Protocol::Current,
        PROTOCOL_LEGACY => Protocol::Legacy,
        word => return Err(FrameError::UnknownProtocol { word }),
    };
    input.advance(8);
    Ok(Some(protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_taken_alone_from_what_follows_it() {
        for protocol in [Protocol::Current, Protocol::Legacy] {
            let mut input = BytesMut::new();
            for byte in protocol.hello() {
                assert_eq!(read_hello(&mut input), Ok(None));
                input.extend_from_slice(&[byte]);
            }
            input.extend_from_slice(b"next");
            assert_eq!(read_hello(&mut input), Ok(Some(protocol)));
            assert_eq!(input, &b"next"[..]);
        }
        assert_eq!(Protocol::Legacy.hello(), [0xe5, 0x3f, 0x43, 0x60, 0xd7, 0x4d, 0x10, 0x86]);
    }

    #[test]
    fn another_word_is_refused() {
        let mut input = BytesMut::from(&2u64.to_le_bytes()[..]);
        assert_eq!(read_hello(&mut input), Err(FrameError::UnknownProtocol { word: 2 }));
    }
}
