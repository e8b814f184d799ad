//! The record of outcomes beside a database's file (`docs/formats/database.md`).
//!
//! Once a checkpoint has brought the file up to an entry, the log before it may go. So the record
//! of what that part of the log committed must be durable first:
//!
//! 1. The record on disk is the one at the index of the chain that `meta.rs` keeps, neither older
//!    nor newer. It is written, over the older of two slots, and durable before the meta record
//!    that says which slot counts and has its checksum.
//! 2. So whatever a write tears, the slot that the newest whole meta record vouches for is whole.
//! 3. It is written only where a call was noted since.
//!
//! ```text
//!  0 [u8;4] magic "DQO1"            16 n × 32 bytes, by ascending index:
//!  4 u32    n, the clients             u128 client
//!  8 u64    horizon                    u64  mark
//!                                      u64  index
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::{FileSystem, OpenMode};

use super::{CLIENTS_MAX, Call, Last, LastCalls};
use crate::meta::crc32c;

const MAGIC: &[u8; 4] = b"DQO1";
const HEADER_BYTES: usize = 16;
const CALL_BYTES: usize = 32;
/// The longest record, rounded up to whole pages of the device.
const SLOT_BYTES: u64 = (HEADER_BYTES + CALL_BYTES * CLIENTS_MAX).next_multiple_of(4096) as u64;

/// What a meta record says of the record of outcomes that belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Voucher {
    /// How many clients are in it; 0 where nothing was ever noted, and no file is needed.
    pub client_count: u32,
    /// CRC32C of all of it.
    pub checksum: u32,
    /// Where it stands.
    pub slot: u32,
}

impl Voucher {
    /// The length in bytes of what it stands for.
    fn record_bytes(&self) -> usize {
        HEADER_BYTES + CALL_BYTES * self.client_count as usize
    }

    /// True where nothing was ever noted.
    pub fn is_empty(&self) -> bool {
        self.client_count == 0
    }

    /// The record in `bytes`, if they are what it stands for.
    pub fn check(&self, bytes: &[u8]) -> io::Result<LastCalls> {
        let whole = bytes.len() == self.record_bytes() && crc32c(bytes) == self.checksum;
        whole.then(|| LastCalls::decode(bytes)).flatten().ok_or_else(damaged)
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the record of outcomes is damaged")
}

impl LastCalls {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + CALL_BYTES * self.by_index.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(self.by_index.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.horizon.to_le_bytes());
        for (index, client) in &self.by_index {
            bytes.extend_from_slice(&client.to_le_bytes());
            bytes.extend_from_slice(&self.mark_of(*client).to_le_bytes());
            bytes.extend_from_slice(&index.to_le_bytes());
        }
        bytes
    }

    /// Reads a record; `None` where the bytes cannot be one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, places) = bytes.split_at_checked(HEADER_BYTES)?;
        let (magic, rest) = header.split_first_chunk::<4>()?;
        let (count, horizon) = rest.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        if magic != MAGIC || count > CLIENTS_MAX || places.len() != count * CALL_BYTES {
            return None;
        }
        let horizon = u64::from_le_bytes(horizon.try_into().ok()?);
        let mut calls = Self { horizon, ..Self::default() };
        let mut newest = horizon;
        for place in places.chunks_exact(CALL_BYTES) {
            let (client, rest) = place.split_first_chunk::<16>()?;
            let (mark, index) = rest.split_first_chunk::<8>()?;
            let index = u64::from_le_bytes(index.try_into().ok()?);
            let call = Call::new(u128::from_le_bytes(*client), u64::from_le_bytes(*mark))?;
            let last = Last { mark: call.mark, index };
            if index <= newest || calls.by_client.insert(call.client, last).is_some() {
                return None;
            }
            calls.by_index.insert(index, call.client);
            newest = index;
        }
        Some(calls)
    }
}

/// The file that holds a database's record of outcomes. There is none before there is a record.
#[derive(Debug)]
pub(crate) struct RecordFile {
    files: Arc<dyn FileSystem>,
    dir: PathBuf,
    path: PathBuf,
}

impl RecordFile {
    /// The file for the database whose files in `dir` are called `stem`.
    pub fn new(files: Arc<dyn FileSystem>, dir: &Path, stem: &str) -> Self {
        let path = dir.join(format!("{stem}.outcomes"));
        Self { files, dir: dir.to_owned(), path }
    }

    /// The bytes that `voucher` vouches for; none where it vouches for none. Blocks.
    pub fn read(&self, voucher: Voucher) -> io::Result<Vec<u8>> {
        if voucher.is_empty() {
            return Ok(Vec::new());
        }
        if voucher.client_count as usize > CLIENTS_MAX {
            return Err(damaged());
        }
        let mut bytes = vec![0; voucher.record_bytes()];
        let file = self.files.open(&self.path, OpenMode::Existing)?;
        let count = file.read_at(&mut bytes, u64::from(voucher.slot) * SLOT_BYTES)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The record that `voucher` vouches for. Blocks.
    ///
    /// # Errors
    /// `InvalidData` when it is not there, whole: answers would be wrong without it.
    pub fn load(&self, voucher: Voucher) -> io::Result<LastCalls> {
        if voucher.is_empty() {
            return Ok(LastCalls::default());
        }
        let invalid = |error: io::Error| {
            let reason = format!("{}: {error}", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, reason)
        };
        self.read(voucher).and_then(|bytes| voucher.check(&bytes)).map_err(invalid)
    }

    /// Makes `calls` durable, beside what `before` vouches for. Blocks. (1)
    pub fn write(&self, calls: &LastCalls, before: Voucher) -> io::Result<Voucher> {
        let bytes = calls.encode();
        let slot = u32::from(before.slot == 0); // (2)
        let file = self.files.open(&self.path, OpenMode::Create)?;
        file.write_all_at(&bytes, u64::from(slot) * SLOT_BYTES)?;
        file.sync_all()?;
        if before.is_empty() {
            self.files.sync_dir(&self.dir)?;
        }
        let client_count = calls.by_index.len() as u32;
        Ok(Voucher { client_count, checksum: crc32c(&bytes), slot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dqlite_env::RealFiles;

    fn calls(total: u64) -> LastCalls {
        let mut calls = LastCalls::default();
        for number in 1..=total {
            calls.note(Call { client: u128::from(number) << 64, mark: number + 7 }, number * 3);
        }
        calls
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut calls = LastCalls { horizon: 0x0908, ..LastCalls::default() };
        calls.note(Call { client: 0x100f_0e0d_0c0b_0a09_0807_0605_0403_0201, mark: 0x77 }, 0x0a0b);
        calls.note(Call { client: 2, mark: 1 }, 0x0a0c);
        let mut expected = b"DQO1\x02\0\0\0\x08\x09\0\0\0\0\0\0".to_vec();
        expected.extend(1..=16);
        expected.extend_from_slice(b"\x77\0\0\0\0\0\0\0\x0b\x0a\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x0c\x0a\0\0\0\0\0\0");
        assert_eq!(calls.encode(), expected);
        assert_eq!(LastCalls::decode(&expected), Some(calls));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let bytes = calls(3).encode();
        for length in 0..bytes.len() {
            assert_eq!(LastCalls::decode(&bytes[..length]), None, "{length} bytes");
        }
        let change = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            LastCalls::decode(&changed)
        };
        assert_eq!(change(0, b'X'), None, "magic");
        assert_eq!(change(4, 2), None, "count");
        assert_eq!(change(8, 3), None, "an index at the horizon");
        assert_eq!(change(HEADER_BYTES + 24, 6), None, "an index twice");
        assert_eq!(change(HEADER_BYTES + 8, 2), None, "a client twice");
        assert_eq!(change(HEADER_BYTES + 8, 0), None, "no client");
        assert_eq!(change(HEADER_BYTES + 16, 0), None, "no mark");
    }

    #[test]
    fn a_torn_write_leaves_what_is_vouched_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = RecordFile::new(Arc::new(RealFiles), dir.path(), "app");
        assert_eq!(file.load(Voucher::default()).unwrap(), LastCalls::default());
        let first = file.write(&calls(CLIENTS_MAX as u64 + 9), Voucher::default()).unwrap();
        let second = file.write(&calls(2), first).unwrap();
        assert_ne!(first.slot, second.slot);
        assert_eq!(file.load(first).unwrap(), calls(CLIENTS_MAX as u64 + 9));
        assert_eq!(file.load(second).unwrap(), calls(2));
        // The next one tears, and nobody vouches for it.
        let third = file.write(&calls(500), second).unwrap();
        let raw = RealFiles.open(&dir.path().join("app.outcomes"), OpenMode::Existing).unwrap();
        raw.write_all_at(&[0xee; 64], u64::from(third.slot) * SLOT_BYTES + 4096).unwrap();
        assert_eq!(file.load(second).unwrap(), calls(2));
        for lost in [third, first] {
            assert_eq!(file.load(lost).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
