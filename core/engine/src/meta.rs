//! The durable facts about a database file, byte for byte (`docs/formats/database.md`).
//!
//! A checkpoint writes pages into the database file in place. Should the node die in the middle,
//! the file is neither old nor new, but the log can make it whole:
//!
//! 1. Only what is committed and durable in this node's own log goes into the file.
//! 2. Before the first page is written, `consistent_at` is durable: the index of the newest
//!    transaction that the checkpoint may write. A node that starts again serves nothing from the
//!    file until it has applied the log that far.
//! 3. After the pages are durable, `chain` is made durable: all up to its index is in the file,
//!    and applying the log starts behind it.
//! 4. The log is purged only below the lowest `chain` index of the databases that have anything
//!    above it.
//! 5. `voucher` stands for the record of outcomes at the index of `chain`, and is made durable with
//!    it (`outcomes/record.rs`).
//!
//! The record stands in two slots which are written in turn, so one of them is always whole.
//!
//! ```text
//!  0 [u8;4] magic "DQM1"            32 u64 sequence of the chain
//!  4 u32    epoch of the chain      40 u64 consistent_at
//!  8 u64    counter of writes       48 u32 clients in the record of outcomes
//! 16 u64    index of the chain      52 u32 its CRC32C
//! 24 u64    term of the chain       56 u32 its slot
//!                                   60 u32 CRC32C of bytes 0 to 60
//! ```

use std::io;
use std::sync::Arc;

use dqlite_env::File;

use crate::chain::{Chain, SessionId};
use crate::outcomes::record::Voucher;

const MAGIC: &[u8; 4] = b"DQM1";
const RECORD_BYTES: usize = 64;
/// Far enough apart that no device tears both slots in one write.
const SLOT_BYTES: u64 = 4096;

/// What is durably known about a database file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// All of the chain up to here is in the file.
    pub chain: Chain,
    /// Nothing of an entry with a higher index than this is in the file.
    pub consistent_at: u64,
    /// The record of outcomes as of the chain's index. (5)
    pub voucher: Voucher,
}

impl Meta {
    /// The record that is the `counter`th write.
    pub fn encode(&self, counter: u64) -> [u8; RECORD_BYTES] {
        let mut record = [0; RECORD_BYTES];
        record[..4].copy_from_slice(MAGIC);
        record[4..8].copy_from_slice(&self.chain.session.epoch.to_le_bytes());
        record[8..16].copy_from_slice(&counter.to_le_bytes());
        record[16..24].copy_from_slice(&self.chain.index.to_le_bytes());
        record[24..32].copy_from_slice(&self.chain.session.term.to_le_bytes());
        record[32..40].copy_from_slice(&self.chain.sequence.to_le_bytes());
        record[40..48].copy_from_slice(&self.consistent_at.to_le_bytes());
        record[48..52].copy_from_slice(&self.voucher.client_count.to_le_bytes());
        record[52..56].copy_from_slice(&self.voucher.checksum.to_le_bytes());
        record[56..60].copy_from_slice(&self.voucher.slot.to_le_bytes());
        let checksum = crc32c(&record[..60]);
        record[60..].copy_from_slice(&checksum.to_le_bytes());
        record
    }

    /// The facts in `record` and the number of its write; `None` where it is not whole.
    pub fn decode(record: &[u8]) -> Option<(Self, u64)> {
        let record: &[u8; RECORD_BYTES] = record.try_into().ok()?;
        let u32_at = |at: usize| (0..4).fold(0, |n, i| n | u32::from(record[at + i]) << (8 * i));
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if &record[..4] != MAGIC || u32_at(60) != crc32c(&record[..60]) {
            return None;
        }
        let session = SessionId { term: u64_at(24), epoch: u32_at(4) };
        let chain = Chain { index: u64_at(16), session, sequence: u64_at(32) };
        let voucher = Voucher { client_count: u32_at(48), checksum: u32_at(52), slot: u32_at(56) };
        Some((Self { chain, consistent_at: u64_at(40), voucher }, u64_at(8)))
    }
}

/// CRC32C of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The file that holds a [`Meta`].
#[derive(Debug)]
pub(crate) struct MetaFile {
    file: Arc<dyn File>,
    counter: u64,
    meta: Meta,
}

impl MetaFile {
    /// Starts a new file.
    pub fn create(file: Arc<dyn File>, meta: Meta) -> io::Result<Self> {
        let mut created = Self { file, counter: 0, meta };
        created.file.set_len(2 * SLOT_BYTES)?;
        created.write(meta)?;
        created.file.sync_all()?;
        Ok(created)
    }

    /// Reads the newest whole slot; `None` where neither is whole, as a file is that was being
    /// created.
    pub fn open(file: Arc<dyn File>) -> io::Result<Option<Self>> {
        let mut newest: Option<(Meta, u64)> = None;
        for slot in 0..2 {
            let mut record = [0; RECORD_BYTES];
            let count = file.read_at(&mut record, slot * SLOT_BYTES)?;
            if let Some((meta, counter)) = Meta::decode(&record[..count])
                && newest.is_none_or(|(_, other)| counter > other)
            {
                newest = Some((meta, counter));
            }
        }
        Ok(newest.map(|(meta, counter)| Self { file, counter, meta }))
    }

    /// What was written last.
    pub fn get(&self) -> Meta {
        self.meta
    }

    /// Makes `meta` durable, over the older slot.
    pub fn write(&mut self, meta: Meta) -> io::Result<()> {
        let counter = self.counter + 1;
        self.file.write_all_at(&meta.encode(counter), (counter % 2) * SLOT_BYTES)?;
        self.file.sync_data()?;
        self.counter = counter;
        self.meta = meta;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dqlite_env::{FileSystem, OpenMode, RealFiles};

    fn meta(index: u64) -> Meta {
        let session = SessionId { term: 5, epoch: 6 };
        let chain = Chain { index, session, sequence: 7 };
        let voucher = Voucher { client_count: 3, checksum: 0x0405_0607, slot: 1 };
        Meta { chain, consistent_at: index + 10, voucher }
    }

    #[test]
    fn a_torn_write_leaves_the_record_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let file = RealFiles.open(&path, OpenMode::New).unwrap();
        let mut metas = MetaFile::create(file.clone(), meta(1)).unwrap();
        metas.write(meta(2)).unwrap();
        metas.write(meta(3)).unwrap();
        assert_eq!(MetaFile::open(file.clone()).unwrap().unwrap().get(), meta(3));
        // The third write went to slot 1, which now tears.
        file.write_all_at(&[0xee; 20], SLOT_BYTES + 10).unwrap();
        let mut reopened = MetaFile::open(file.clone()).unwrap().unwrap();
        assert_eq!(reopened.get(), meta(2));
        reopened.write(meta(4)).unwrap();
        assert_eq!(MetaFile::open(file.clone()).unwrap().unwrap().get(), meta(4));
        file.set_len(0).unwrap();
        assert!(MetaFile::open(file).unwrap().is_none());
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let record = meta(9).encode(3);
        assert_eq!(Meta::decode(&record), Some((meta(9), 3)));
        for bit in 0..RECORD_BYTES * 8 {
            let mut flipped = record;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Meta::decode(&flipped), None, "bit {bit}");
        }
    }
}
