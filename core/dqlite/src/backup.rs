//! How far a backup is.

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pages of 4096 bytes that are still to be copied.
    pub remaining_pages: u64,
    /// Pages in all.
    pub total_pages: u64,
}

impl Progress {
    pub(crate) fn of(remaining_pages: u64, total_pages: u64) -> Self {
        Self { remaining_pages, total_pages }
    }
}
