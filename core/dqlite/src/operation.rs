//! One call of a connection, as whoever wants to stop it sees it.
//!
//! A cancel belongs to one operation: it stops that call wherever it stands, waiting for its turn,
//! for a leader or in SQLite, and never the call after it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{Error, ErrorClass};

/// A handle that cancels the calls it is attached to. See
/// [`Connection::with_operation`](crate::Connection::with_operation).
#[derive(Clone, Debug, Default)]
pub struct Operation(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// When the calls must have ended, beside what their connection says.
    deadline: Option<Instant>,
    cancelled: AtomicBool,
    notify: Notify,
}

impl Operation {
    /// An operation that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// An operation whose calls end when `timeout` is over, counted from now, with a
    /// `TimeoutError`.
    pub fn with_timeout(timeout: Duration) -> Self {
        let deadline = Instant::now().checked_add(timeout);
        Self(Arc::new(State { deadline, ..State::default() }))
    }

    /// When its calls must have ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Whether its calls have to end: it was cancelled, or its time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.is_cancelled() || self.0.deadline.is_some_and(|deadline| deadline <= Instant::now())
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

    /// Waits for `work`, which is dropped when the operation is cancelled or its time is over.
    pub(crate) async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let Some(deadline) = self.0.deadline else { return self.unless_cancelled(work).await };
        let in_time = tokio::time::timeout_at(deadline, self.unless_cancelled(work));
        in_time.await.unwrap_or_else(|_| Err(Error::timed_out()))
    }

    /// The error of a call that was interrupted: by nobody if its time was over.
    pub(crate) fn judge(&self, error: Error) -> Error {
        let ended = error.class() == ErrorClass::Interrupted && !self.is_cancelled();
        if ended && self.is_over() {
            return Error::timed_out().with_outcome(error.outcome());
        }
        error
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

    /// Whether the operation that has its turn has to end.
    pub fn is_over(&self) -> bool {
        self.0.lock().as_ref().is_some_and(Operation::is_over)
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
            assert!(running.is_over());
            assert!(first.unless_cancelled(std::future::pending::<()>()).await.is_err());
        }
        let _turn = running.enter(&second);
        assert!(!running.is_over());
        assert_eq!(second.unless_cancelled(async { 7 }).await.ok(), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_is_over_ends_who_waits_and_is_told_from_a_cancel() {
        let operation = Operation::with_timeout(Duration::from_millis(20));
        assert_eq!(operation.unless_over(async { 7 }).await.ok(), Some(7));
        let error = operation.unless_over(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Timeout);
        assert_eq!(operation.judge(Error::interrupted()).class(), ErrorClass::Timeout);
        operation.cancel();
        assert_eq!(operation.judge(Error::interrupted()).class(), ErrorClass::Interrupted);
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
