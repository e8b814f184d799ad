//! The message of a node's last failure, at one address for good.

use std::cell::UnsafeCell;
use std::ffi::c_char;

const ROOM: usize = 512;

/// A text that ends with a NUL, which C may read as long as its node lives.
pub(crate) struct Message(Box<UnsafeCell<[u8; ROOM]>>, parking_lot::Mutex<()>);

// SAFETY: writes take turns. C reads when it has seen a call fail, and not while it makes another
// one with the same node: so the header says.
unsafe impl Sync for Message {}

impl Default for Message {
    fn default() -> Self {
        Self(Box::new(UnsafeCell::new([0; ROOM])), parking_lot::Mutex::new(()))
    }
}

impl Message {
    pub fn set(&self, text: &str) {
        let _turn = self.1.lock();
        let mut bytes = [0; ROOM];
        let mut length = text.len().min(ROOM - 1);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        for (to, from) in bytes.iter_mut().zip(text[..length].bytes()) {
            *to = if from == 0 { b' ' } else { from };
        }
        // SAFETY: nobody else writes meanwhile.
        unsafe { self.0.get().write(bytes) };
    }

    pub fn as_ptr(&self) -> *const c_char {
        self.0.get().cast()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_message_stays_where_it_is_and_within_its_room() {
        let message = Message::default();
        // SAFETY: the text ends with a NUL.
        let read = || unsafe { CStr::from_ptr(message.as_ptr()) }.to_str().unwrap().to_owned();
        let at = message.as_ptr();
        assert_eq!(read(), "");
        message.set("nul\0 inside");
        assert_eq!(read(), "nul  inside");
        message.set(&"é".repeat(400));
        assert_eq!(read(), "é".repeat(255));
        message.set("short");
        assert_eq!((read().as_str(), message.as_ptr()), ("short", at));
    }
}
