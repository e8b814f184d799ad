//! Memory that a device can read directly.

use crate::format::BLOCK_BYTES_MAX;

/// Bytes whose first one lies at a multiple of [`BLOCK_BYTES_MAX`], as direct I/O asks.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Buffer {
    /// Empties the buffer and makes room for `capacity` bytes.
    pub fn reset(&mut self, capacity: usize) {
        self.length = 0;
        if capacity > self.capacity() {
            self.memory = vec![0; capacity.next_power_of_two() + BLOCK_BYTES_MAX];
            self.start = self.memory.as_ptr().align_offset(BLOCK_BYTES_MAX);
        }
    }

    /// How many bytes fit.
    pub fn capacity(&self) -> usize {
        self.memory.len().saturating_sub(BLOCK_BYTES_MAX)
    }

    /// Appends `bytes`; room was made before.
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.start + self.length;
        self.memory[end..end + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends zeros up to the next multiple of `align`.
    pub fn pad(&mut self, align: usize) {
        self.zeros(self.length.next_multiple_of(align) - self.length);
    }

    /// Appends `count` zeros.
    pub fn zeros(&mut self, count: usize) {
        let end = self.start + self.length;
        self.memory[end..end + count].fill(0);
        self.length += count;
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }

    pub fn len(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_aligned_and_padding_is_zero() {
        let mut buffer = Buffer::default();
        buffer.reset(1000);
        buffer.extend(&[7; 1000]);
        buffer.reset(1000);
        buffer.extend(b"abc");
        buffer.pad(512);
        assert_eq!(buffer.bytes().as_ptr().align_offset(BLOCK_BYTES_MAX), 0);
        assert_eq!(buffer.len(), 512);
        assert!(buffer.bytes()[3..].iter().all(|byte| *byte == 0));
    }
}
