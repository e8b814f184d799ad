//! When to take a snapshot: how much was applied since the last attempt, and who is being sent one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What was applied since the last checkpoint was asked for.
#[derive(Debug)]
pub(crate) struct Growth {
    entries_max: u64,
    bytes_max: u64,
    entries: AtomicU64,
    bytes: AtomicU64,
    sending: AtomicUsize,
    due: Notify,
}

impl Growth {
    pub(crate) fn new(entries_max: u64, bytes_max: u64) -> Self {
        let zero = AtomicU64::default;
        let (entries, bytes, sending) = (zero(), zero(), AtomicUsize::default());
        Self { entries_max, bytes_max, entries, bytes, sending, due: Notify::new() }
    }

    /// Notes an applied entry with a payload of `bytes`.
    pub(crate) fn add(&self, bytes: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.check();
    }

    /// Notes that a snapshot is being sent for as long as the result lives: the log that its
    /// receiver will need stays.
    pub(crate) fn sending(this: &Arc<Self>) -> Sending {
        this.sending.fetch_add(1, Ordering::AcqRel);
        Sending { growth: this.clone() }
    }

    /// Resolves when a snapshot is due, and begins to count anew.
    pub(crate) async fn due(&self) {
        while !self.is_due() {
            self.due.notified().await;
        }
        self.entries.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    fn is_due(&self) -> bool {
        let much = self.entries.load(Ordering::Relaxed) >= self.entries_max
            || self.bytes.load(Ordering::Relaxed) >= self.bytes_max;
        much && self.sending.load(Ordering::Acquire) == 0
    }

    fn check(&self) {
        if self.is_due() {
            self.due.notify_one();
        }
    }
}

/// Somebody is being sent a snapshot.
#[derive(Debug)]
pub(crate) struct Sending {
    growth: Arc<Growth>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.growth.sending.fetch_sub(1, Ordering::AcqRel);
        self.growth.check();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_snapshot_is_due_after_enough_entries_or_bytes() {
        let growth = Growth::new(3, 100);
        growth.add(1);
        growth.add(1);
        assert!(growth.due().now_or_never().is_none());
        growth.add(1);
        assert!(growth.due().now_or_never().is_some());
        assert!(growth.due().now_or_never().is_none());
        growth.add(100);
        assert!(growth.due().now_or_never().is_some());
    }

    #[test]
    fn no_snapshot_is_due_while_one_is_sent() {
        let growth = Arc::new(Growth::new(1, 100));
        let sending = Growth::sending(&growth);
        growth.add(1);
        assert!(growth.due().now_or_never().is_none());
        drop(sending);
        assert!(growth.due().now_or_never().is_some());
    }
}
