//! One call of a connection, as whoever wants to stop it sees it.
//!
//! A cancel belongs to one operation: it stops that call wherever it stands, waiting for its turn,
//! for a leader or in SQLite, and never the call after it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::Error;

/// A handle that cancels the calls it is attached to. See
/// [`Connection::with_operation`](crate::Connection::with_operation).
#[derive(Clone, Debug, Default)]
pub struct Operation(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    notify: Notify,
}

impl Operation {
    /// An operation that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the call, now or as soon as it begins.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Resolves once it is cancelled.
    pub async fn cancelled(&self) {
        let mut notified = pin!(self.0.notify.notified());
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Waits for `work`, which is dropped when the operation is cancelled.
    pub(crate) async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        if self.is_cancelled() {
            return Err(Error::interrupted());
        }
        tokio::select! {
            biased;
            value = work => Ok(value),
            () = self.cancelled() => Err(Error::interrupted()),
        }
    }
}

/// The operation that has its turn on a connection.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Option<Operation>>);

impl Running {
    /// Notes that `operation` has its turn until the guard is dropped.
    pub fn enter(&self, operation: &Operation) -> Turn<'_> {
        *self.0.lock() = Some(operation.clone());
        Turn(self)
    }

    /// Cancels the operation that has its turn, if one has.
    pub fn cancel(&self) {
        if let Some(operation) = &*self.0.lock() {
            operation.cancel();
        }
    }

    /// Whether the operation that has its turn was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().as_ref().is_some_and(Operation::is_cancelled)
    }
}

/// A call has its turn.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Running);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancel_stops_its_own_operation_only() {
        let running = Running::default();
        running.cancel();
        let (first, second) = (Operation::new(), Operation::new());
        {
            let _turn = running.enter(&first);
            running.cancel();
            assert!(running.is_cancelled());
            assert!(first.unless_cancelled(std::future::pending::<()>()).await.is_err());
        }
        let _turn = running.enter(&second);
        assert!(!running.is_cancelled());
        assert_eq!(second.unless_cancelled(async { 7 }).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn a_cancel_wakes_who_waits() {
        let operation = Operation::new();
        let waiting = operation.clone();
        let waiter =
            tokio::spawn(
                async move { waiting.unless_cancelled(std::future::pending::<()>()).await },
            );
        tokio::task::yield_now().await;
        operation.cancel();
        assert!(waiter.await.unwrap().is_err());
    }
}
