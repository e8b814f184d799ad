//! Figures of the writer.

use std::time::Duration;

/// How many classes of flush times are kept.
pub const FLUSH_CLASSES: usize = 24;

/// What the writer did since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Flushes that became durable.
    pub flushes: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes in them, with headers and padding.
    pub bytes: u64,
    /// The sum of the flushes' times, from write to durable, in microseconds.
    pub flush_us: u64,
    /// Flushes by time: class 0 below 1 us, class `n` from `2^(n-1)` us up to `2^n` us, the last
    /// one open.
    pub flush_us_classes: [u64; FLUSH_CLASSES],
    /// Segments taken into use.
    pub segments: u64,
}

impl Metrics {
    pub(crate) fn flushed(&mut self, entries: usize, bytes: usize, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.flushes += 1;
        self.entries += entries as u64;
        self.bytes += bytes as u64;
        self.flush_us = self.flush_us.saturating_add(us);
        let class = (u64::BITS - us.leading_zeros()) as usize;
        self.flush_us_classes[class.min(FLUSH_CLASSES - 1)] += 1;
    }
}
