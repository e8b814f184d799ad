//! The header of the wal-index, as SQLite lays it out: 48 bytes, as 12 words of the machine.

use crate::checksum::{self, Sums};

/// The words of one copy of the header.
pub(super) const HEADER_WORDS: usize = 12;
/// The words under the header's own checksum.
const SUMMED_WORDS: usize = 10;
const FORMAT_VERSION: u32 = 3_007_000;
const PAGE_SIZE: u16 = 4096;

const _: () = assert!(PAGE_SIZE as usize == crate::PAGE_BYTES);

/// What the wal-index says of the WAL: how far it is committed, and how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Counts transactions.
    pub change: u32,
    /// The last committed frame; 0 when the WAL is empty.
    pub last_frame: u32,
    /// The database's size after that frame, in pages.
    pub page_count: u32,
    /// The checksum of that frame, from which the next one's continues.
    pub frame_sums: Sums,
    /// The WAL's salt, word for word as the bytes of the WAL's header.
    pub salt: [u32; 2],
}

impl Header {
    pub(super) fn encode(&self) -> [u32; HEADER_WORDS] {
        let [low, high] = PAGE_SIZE.to_ne_bytes();
        let big_endian = u8::from(cfg!(target_endian = "big"));
        let mut words = [
            FORMAT_VERSION,
            0,
            self.change,
            u32::from_ne_bytes([1, big_endian, low, high]),
            self.last_frame,
            self.page_count,
            self.frame_sums[0],
            self.frame_sums[1],
            self.salt[0],
            self.salt[1],
            0,
            0,
        ];
        [words[10], words[11]] = sums_of(&words);
        words
    }

    /// The header in `words`; `None` when they are not one whole header.
    pub(super) fn decode(words: &[u32; HEADER_WORDS]) -> Option<Self> {
        let initialised = words[3].to_ne_bytes()[0] == 1;
        (initialised && [words[10], words[11]] == sums_of(words)).then(|| Self {
            change: words[2],
            last_frame: words[4],
            page_count: words[5],
            frame_sums: [words[6], words[7]],
            salt: [words[8], words[9]],
        })
    }
}

fn sums_of(words: &[u32; HEADER_WORDS]) -> Sums {
    let mut bytes = [0; SUMMED_WORDS * 4];
    for (target, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *target = word.to_ne_bytes();
    }
    checksum::extend([0, 0], &bytes)
}
