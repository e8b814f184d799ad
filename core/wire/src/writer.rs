//! How the primitives are written. Every field is a number of whole words, its padding zero.

use std::ffi::CStr;

use bytes::{BufMut, BytesMut};

use crate::error::EncodeError;

/// The size of a word in bytes: the unit of every length in the protocol.
pub(crate) const WORD_BYTES: usize = 8;

/// `bytes` rounded up to whole words, or `usize::MAX` if that does not exist.
pub(crate) const fn padded(bytes: usize) -> usize {
    match bytes.checked_next_multiple_of(WORD_BYTES) {
        Some(padded) => padded,
        None => usize::MAX,
    }
}

pub(crate) fn put_zeros(out: &mut BytesMut, bytes: usize) {
    out.put_bytes(0, bytes);
}

pub(crate) fn put_u64(out: &mut BytesMut, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u32(out: &mut BytesMut, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes a text up to its first NUL, if it has one: the format has no way to say more.
pub(crate) fn put_text(out: &mut BytesMut, text: &[u8]) {
    let text = CStr::from_bytes_until_nul(text).map_or(text, CStr::to_bytes);
    let field_bytes = padded(text.len().saturating_add(1));
    out.reserve(field_bytes);
    out.extend_from_slice(text);
    put_zeros(out, field_bytes - text.len());
}

/// Writes a text that must arrive whole.
pub(crate) fn put_whole_text(out: &mut BytesMut, text: &[u8]) -> Result<(), EncodeError> {
    if text.contains(&0) {
        return Err(EncodeError::NulInText);
    }
    put_text(out, text);
    Ok(())
}

pub(crate) fn put_blob(out: &mut BytesMut, blob: &[u8]) {
    let field_bytes = padded(blob.len());
    out.reserve(WORD_BYTES + field_bytes);
    put_u64(out, blob.len() as u64);
    out.extend_from_slice(blob);
    put_zeros(out, field_bytes - blob.len());
}

/// Writes a blob that `content` writes.
pub(crate) fn put_blob_with(
    out: &mut BytesMut,
    content: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let length_at = out.len();
    put_u64(out, 0);
    content(out)?;
    let start = length_at + WORD_BYTES;
    let length = out.len() - start;
    out[length_at..start].copy_from_slice(&(length as u64).to_le_bytes());
    put_zeros(out, padded(length) - length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_text(&mut out, text);
        out.to_vec()
    }

    #[test]
    fn a_text_always_has_room_for_its_terminator() {
        assert_eq!(text(b""), [0; 8]);
        assert_eq!(text(b"1234567"), *b"1234567\0");
        assert_eq!(text(b"12345678"), *b"12345678\0\0\0\0\0\0\0\0");
        assert_eq!(text(b"ab\0cd"), *b"ab\0\0\0\0\0\0");
        let mut out = BytesMut::new();
        assert_eq!(put_whole_text(&mut out, b"a\0"), Err(EncodeError::NulInText));
    }

    #[test]
    fn a_blob_is_padded_behind_its_length() {
        for (length, field_bytes) in [(0, 8), (1, 16), (8, 16), (9, 24)] {
            let mut out = BytesMut::new();
            put_blob(&mut out, &vec![7; length]);
            assert_eq!(out.len(), field_bytes);
            assert_eq!(out[0], length as u8);
            assert!(out[8 + length..].iter().all(|&byte| byte == 0));
        }
    }
}
