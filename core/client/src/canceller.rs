//! Which call a cancel is meant for: calls have numbers, and a cancel names one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The calls of one session, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The call that runs; 0 for none.
    running: AtomicU64,
    /// The last call that was cancelled. It only grows, so that a cancel that comes late takes
    /// nothing from one that came before it.
    cancelled: watch::Sender<u64>,
}

impl Calls {
    /// Begins a call, which lasts until what is returned is dropped.
    pub fn begin(&mut self) -> Running {
        self.last += 1;
        self.shared.running.store(self.last, Ordering::SeqCst);
        Running { number: self.last, shared: self.shared.clone() }
    }

    pub fn canceller(&self) -> Canceller {
        Canceller { shared: self.shared.clone() }
    }
}

/// A call that runs.
#[derive(Debug)]
pub(crate) struct Running {
    number: u64,
    shared: Arc<Shared>,
}

impl Running {
    /// Resolves once this call, and no other, was cancelled.
    pub async fn cancelled(&self) {
        let mut cancelled = self.shared.cancelled.subscribe();
        if cancelled.wait_for(|number| *number == self.number).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.store(0, Ordering::SeqCst);
    }
}

/// Stops what a session is doing, from anywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Canceller {
    shared: Arc<Shared>,
}

impl Canceller {
    /// Asks the node to stop the call that runs now, and never a later one. Nothing happens when
    /// none runs. The call itself tells how it ended: it may have been over already.
    pub fn cancel(&self) {
        self.cancel_call(self.shared.running.load(Ordering::SeqCst));
    }

    fn cancel_call(&self, number: u64) {
        self.shared.cancelled.send_if_modified(|cancelled| {
            let grows = number > *cancelled;
            *cancelled = number.max(*cancelled);
            grows
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn is_cancelled(running: &Running) -> bool {
        running.cancelled().now_or_never().is_some()
    }

    #[test]
    fn a_cancel_is_meant_for_the_call_that_runs() {
        let mut calls = Calls::default();
        let canceller = calls.canceller();
        canceller.cancel();
        let first = calls.begin();
        assert!(!is_cancelled(&first));
        canceller.cancel();
        assert!(is_cancelled(&first));
        drop(first);
        canceller.cancel();
        let second = calls.begin();
        assert!(!is_cancelled(&second));
        canceller.clone().cancel();
        assert!(is_cancelled(&second));
    }

    /// Between finding out which call runs and cancelling it, that call may end and others begin.
    #[test]
    fn a_cancel_that_comes_late_does_nothing() {
        let mut calls = Calls::default();
        let canceller = calls.canceller();
        drop(calls.begin());
        let second = calls.begin();
        canceller.cancel_call(1);
        assert!(!is_cancelled(&second));
        canceller.cancel();
        canceller.cancel_call(1);
        assert!(is_cancelled(&second));
    }
}
