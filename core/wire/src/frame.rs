//! Frames: an eight-byte header and a body of whole words, alike in both directions.
//!
//! 1. A body is never empty: go-dqlite panics on one, and the C server stops reading after one.
//! 2. The limit is checked on the header alone, before anything of the body is waited for.
//! 3. Nothing is taken from the input until the whole frame is there.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{EncodeError, FrameError};
use crate::limits;
use crate::writer::{WORD_BYTES, put_zeros};

/// The size of a frame's header, in bytes.
pub const HEADER_BYTES: usize = 8;

const _: () = assert!(HEADER_BYTES == WORD_BYTES);

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The body's length in words of eight bytes.
    pub words: u32,
    /// The request or response type.
    pub kind: u8,
    /// The version of the body's layout, for this type.
    pub schema: u8,
    /// Written 0 and ignored by everyone.
    pub extra: u16,
}

impl Header {
    /// Reads a header.
    pub fn decode(bytes: [u8; HEADER_BYTES]) -> Self {
        let [w0, w1, w2, w3, kind, schema, e0, e1] = bytes;
        Self {
            words: u32::from_le_bytes([w0, w1, w2, w3]),
            kind,
            schema,
            extra: u16::from_le_bytes([e0, e1]),
        }
    }

    /// Writes a header.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [w0, w1, w2, w3] = self.words.to_le_bytes();
        let [e0, e1] = self.extra.to_le_bytes();
        [w0, w1, w2, w3, self.kind, self.schema, e0, e1]
    }

    /// The body's length in bytes.
    ///
    /// # Errors
    /// [`FrameError::EmptyBody`] (1) and [`FrameError::BodyTooLarge`].
    pub fn body_bytes(self, body_bytes_max: usize) -> Result<usize, FrameError> {
        if self.words == 0 {
            return Err(FrameError::EmptyBody);
        }
        let body_bytes = u64::from(self.words) * WORD_BYTES as u64;
        let body_bytes_max = body_bytes_max.min(limits::BODY_BYTES_ENCODABLE_MAX);
        match usize::try_from(body_bytes) {
            Ok(fits) if fits <= body_bytes_max => Ok(fits),
            _ => {
                Err(FrameError::BodyTooLarge { body_bytes, body_bytes_max: body_bytes_max as u64 })
            }
        }
    }
}

/// One message, still unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The request or response type.
    pub kind: u8,
    /// The version of the body's layout.
    pub schema: u8,
    /// The body, a number of whole words.
    pub body: Bytes,
}

/// Takes the next whole frame off the front of `input`; `None` until all of it is there.
///
/// Call it after each read, until it gives `None`. It keeps no state of its own, so the bytes may
/// come one by one or many frames at once.
///
/// # Errors
/// The header is not acceptable: close the connection. `input` is left as it was.
pub fn read_frame(
    input: &mut BytesMut,
    body_bytes_max: usize,
) -> Result<Option<Frame>, FrameError> {
    let Some(header) = input.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let header = Header::decode(*header);
    let body_bytes = header.body_bytes(body_bytes_max)?; // (2)
    if input.len() - HEADER_BYTES < body_bytes {
        return Ok(None); // (3)
    }
    input.advance(HEADER_BYTES);
    let body = input.split_to(body_bytes).freeze();
    Ok(Some(Frame { kind: header.kind, schema: header.schema, body }))
}

/// Leaves room for a header behind what `out` holds, and says where.
pub(crate) fn begin_frame(out: &mut BytesMut) -> usize {
    let start = out.len();
    put_zeros(out, HEADER_BYTES);
    start
}

/// Fills in the header of the frame that began at `start` and ends with `out`.
pub(crate) fn finish_frame(
    out: &mut BytesMut,
    start: usize,
    kind: u8,
    schema: u8,
) -> Result<(), EncodeError> {
    let body_bytes = out.len() - start - HEADER_BYTES;
    if body_bytes == 0 || !body_bytes.is_multiple_of(WORD_BYTES) {
        return Err(EncodeError::UnalignedBody { body_bytes }); // (1)
    }
    let header = header_of(body_bytes, kind, schema)?.encode();
    out[start..start + HEADER_BYTES].copy_from_slice(&header);
    Ok(())
}

/// The header of a body of whole words.
pub(crate) fn header_of(body_bytes: usize, kind: u8, schema: u8) -> Result<Header, EncodeError> {
    if body_bytes > limits::BODY_BYTES_ENCODABLE_MAX {
        return Err(EncodeError::BodyTooLarge { body_bytes });
    }
    let words = u32::try_from(body_bytes / WORD_BYTES)
        .map_err(|_| EncodeError::BodyTooLarge { body_bytes })?;
    Ok(Header { words, kind, schema, extra: 0 })
}

/// Writes a frame whose body `body` writes. On error `out` is as it was.
pub(crate) fn encode_frame(
    out: &mut BytesMut,
    kind: u8,
    schema: u8,
    body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = begin_frame(out);
    let result = body(out).and_then(|()| finish_frame(out, start, kind, schema));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&[1, 0, 0, 0, 7, 1, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8]);
        bytes.extend_from_slice(&[2, 0, 0, 0, 3, 0, 0, 0]);
        bytes.extend_from_slice(&[5; 16]);
        bytes
    }

    #[test]
    fn frames_come_out_however_the_bytes_come_in() {
        let whole = stream();
        for step in 1..=whole.len() {
            let (mut input, mut frames) = (BytesMut::new(), Vec::new());
            for piece in whole.chunks(step) {
                input.extend_from_slice(piece);
                while let Some(frame) = read_frame(&mut input, 16).unwrap() {
                    frames.push(frame);
                }
            }
            assert!(input.is_empty());
            assert_eq!((frames[0].kind, frames[0].schema, frames[0].body.len()), (7, 1, 8));
            assert_eq!((frames[1].kind, frames[1].schema, frames[1].body.len()), (3, 0, 16));
            assert_eq!(frames.len(), 2);
        }
    }

    #[test]
    fn a_frame_without_a_body_is_refused_on_its_header() {
        let mut input = BytesMut::from(&[0, 0, 0, 0, 1, 0, 0, 0][..]);
        assert_eq!(read_frame(&mut input, 64), Err(FrameError::EmptyBody));
    }

    #[test]
    fn the_limit_is_checked_on_the_header_alone() {
        let mut input = BytesMut::from(&[3, 0, 0, 0, 1, 0, 0, 0][..]);
        let error = FrameError::BodyTooLarge { body_bytes: 24, body_bytes_max: 16 };
        assert_eq!(read_frame(&mut input, 16), Err(error));
        assert_eq!(read_frame(&mut input, 24), Ok(None));
        let mut input = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0][..]);
        assert!(read_frame(&mut input, usize::MAX).is_err());
    }

    #[test]
    fn a_body_that_cannot_be_sent_leaves_nothing_behind() {
        let mut out = BytesMut::from(&b"before"[..]);
        let empty = encode_frame(&mut out, 1, 0, |_| Ok(()));
        assert_eq!(empty, Err(EncodeError::UnalignedBody { body_bytes: 0 }));
        let odd = encode_frame(&mut out, 1, 0, |out| {
            put_zeros(out, 9);
            Ok(())
        });
        assert_eq!(odd, Err(EncodeError::UnalignedBody { body_bytes: 9 }));
        assert_eq!(out, &b"before"[..]);
        assert!(header_of(limits::BODY_BYTES_ENCODABLE_MAX, 1, 0).is_ok());
        assert!(header_of(limits::BODY_BYTES_ENCODABLE_MAX + 8, 1, 0).is_err());
    }
}
