//! How far a backup is.

/// SQLite's pages as every database here has them, in bytes.
const PAGE_BYTES: u64 = 4096;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pages of 4096 bytes that are still to be copied.
    pub remaining_pages: u64,
    /// Pages in all.
    pub total_pages: u64,
}

impl Progress {
    pub(crate) fn of_pages(remaining_pages: u64, total_pages: u64) -> Self {
        Self { remaining_pages, total_pages }
    }

    pub(crate) fn of_bytes(at: dqlite_client::BackupProgress) -> Self {
        let remaining = at.total_bytes.saturating_sub(at.received_bytes);
        Self {
            remaining_pages: remaining.div_ceil(PAGE_BYTES),
            total_pages: at.total_bytes.div_ceil(PAGE_BYTES),
        }
    }
}
