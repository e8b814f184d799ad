//! Frames: length, checksum, kind, body.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};

use super::{DecodeError, Decoded};

/// Length, checksum and kind.
const HEADER_BYTES: usize = 9;
/// A body longer than this is refused: an append of 1 MiB, whose last entry adds one more MiB and
/// a little, fits several times.
const BODY_BYTES_MAX: u32 = 8 << 20;
/// A payload part shorter than this is copied behind the fields before it, not referred to.
const SHARED_BYTES_MIN: usize = 512;
/// As many parts as one gathering write takes.
const WRITE_PARTS_MAX: usize = 64;

/// One message as it was read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub kind: u8,
    pub body: Bytes,
}

/// Takes the first whole frame off `buffer`; `None` when more must be read first, for which room
/// has been made.
pub(crate) fn parse_frame(buffer: &mut BytesMut) -> Decoded<Option<Frame>> {
    if buffer.len() < HEADER_BYTES {
        buffer.reserve(64 << 10);
        return Ok(None);
    }
    let length = (&buffer[0..4]).get_u32_le();
    if length > BODY_BYTES_MAX {
        return Err(DecodeError::TooLong(length));
    }
    let whole = HEADER_BYTES + length as usize;
    if buffer.len() < whole {
        buffer.reserve(whole - buffer.len());
        return Ok(None);
    }
    let frame = buffer.split_to(whole).freeze();
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&frame[8..]);
    if digest.finalize() as u32 != (&frame[4..8]).get_u32_le() {
        return Err(DecodeError::Checksum);
    }
    Ok(Some(Frame { kind: frame[8], body: frame.slice(HEADER_BYTES..) }))
}

/// Puts a frame together out of fields and shared payload parts.
pub(crate) struct FrameBuilder {
    kind: u8,
    fields: BytesMut,
    parts: Vec<Bytes>,
}

impl FrameBuilder {
    pub(crate) fn new(kind: u8) -> Self {
        Self { kind, fields: BytesMut::with_capacity(128), parts: Vec::new() }
    }

    /// Where fields are put.
    pub(crate) fn fields(&mut self) -> &mut BytesMut {
        &mut self.fields
    }

    /// Adds bytes that are referred to rather than copied, if they are many.
    pub(crate) fn share(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            self.fields.extend_from_slice(bytes);
            return;
        }
        self.cut();
        self.parts.push(bytes.clone());
    }

    fn cut(&mut self) {
        if !self.fields.is_empty() {
            self.parts.push(self.fields.split().freeze());
        }
    }

    /// The finished frame, to be written.
    pub(crate) fn finish(mut self) -> Outgoing {
        self.cut();
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&[self.kind]);
        let mut length = 0;
        for part in &self.parts {
            digest.update(part);
            length += part.len();
        }
        debug_assert!(length <= BODY_BYTES_MAX as usize, "frame of {length} bytes");
        let mut header = BytesMut::with_capacity(HEADER_BYTES);
        header.put_u32_le(length as u32);
        header.put_u32_le(digest.finalize() as u32);
        header.put_u8(self.kind);
        let mut parts = VecDeque::with_capacity(1 + self.parts.len());
        parts.push_back(header.freeze());
        parts.extend(self.parts);
        Outgoing { parts }
    }
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    parts: VecDeque<Bytes>,
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Puts `later` behind these.
    pub(crate) fn append(&mut self, mut later: Outgoing) {
        self.parts.append(&mut later.parts);
    }

    /// The front parts, as many as one write takes.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        self.parts.iter().take(WRITE_PARTS_MAX).map(|part| IoSlice::new(part)).collect()
    }

    /// Forgets the first `count` bytes, which were written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.front_mut() {
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
        debug_assert_eq!(count, 0);
    }

    /// All bytes in one piece.
    #[cfg(test)]
    pub(crate) fn concat(&self) -> Vec<u8> {
        self.parts.iter().flat_map(|part| part.iter().copied()).collect()
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self { parts: VecDeque::from([bytes]) }
    }
}
