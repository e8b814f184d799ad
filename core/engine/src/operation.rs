//! What a session does at one time, by number, so that it can be stopped and nothing else.
//!
//! 1. Numbers only go up. What is to stop is named by its number: a request to stop that comes late
//!    finds another operation running and does nothing to it.
//! 2. An operation that nobody waits for any more is stopped, and what it was reading is closed.
//! 3. SQLite asks now and then, on its own thread, whether the operation that it works for is to
//!    stop. Nothing else of SQLite's is stopped.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::Error;

/// How many steps of SQLite's machine pass between two questions.
pub(crate) const STEPS_BETWEEN_QUESTIONS: u32 = 1000;

/// How much time passes at least between two questions to a [`Watch`].
const WATCH_EVERY: Duration = Duration::from_millis(20);

/// Somebody who may want what runs to stop, and can only be asked.
pub trait Watch: Send + Sync {
    /// Asked now and then while an operation runs or waits, on the thread that runs SQLite or
    /// waits. True stops the operation.
    fn should_stop(&self) -> bool;
}

/// The operations of one session.
#[derive(Default)]
pub(crate) struct Operations {
    /// The newest operation.
    newest: AtomicU64,
    /// The operation that goes on; 0 for none.
    current: AtomicU64,
    /// All up to this number are to stop. (1)
    stopped: AtomicU64,
    changed: Notify,
    watch: Mutex<Option<Arc<dyn Watch>>>,
    is_watched: AtomicBool,
    turn: Mutex<Turn>,
    /// Operations that ended without an answer, since SQLite was last entered. (2)
    given_up: Mutex<Vec<u64>>,
    has_given_up: AtomicBool,
}

/// What SQLite works for.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// 0 for nothing that has a number.
    number: u64,
    deadline: Option<Instant>,
    watch_asked: Option<Instant>,
}

impl Operations {
    /// Begins the next operation, which is to end within `timeout`.
    pub fn begin(self: &Arc<Self>, timeout: Option<Duration>) -> Operation {
        let number = self.newest.fetch_add(1, Ordering::SeqCst) + 1;
        self.current.store(number, Ordering::SeqCst);
        let limit = timeout.map(|timeout| (crate::lane::deadline_after(timeout), timeout));
        Operation { operations: self.clone(), number, limit, over: false }
    }

    /// Stops the operation that goes on.
    pub fn stop_current(&self) {
        self.stop(self.current.load(Ordering::SeqCst));
    }

    pub fn set_watch(&self, watch: Option<Arc<dyn Watch>>) {
        self.is_watched.store(watch.is_some(), Ordering::SeqCst);
        *self.watch.lock() = watch;
    }

    fn stop(&self, number: u64) {
        self.stopped.fetch_max(number, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    fn is_stopped(&self, number: u64) -> bool {
        self.stopped.load(Ordering::SeqCst) >= number
    }

    /// Asks the watch, and stops `number` if it says so.
    fn ask_watch(&self, number: u64) -> bool {
        let watch = self.watch.lock().clone();
        let stop = watch.is_some_and(|watch| watch.should_stop());
        if stop {
            self.stop(number);
        }
        stop
    }

    /// SQLite begins to work for `operation`, or for none. Called by whoever has the connection.
    /// False where the operation is to stop before it begins.
    pub fn enter(&self, operation: Option<(u64, Option<Instant>)>) -> bool {
        let (number, deadline) = operation.unwrap_or_default();
        *self.turn.lock() = Turn { number, deadline, watch_asked: None };
        number == 0
            || !self.is_stopped(number) && deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    /// The operations that were given up since this was last asked.
    pub fn take_given_up(&self) -> Vec<u64> {
        if self.has_given_up.swap(false, Ordering::SeqCst) {
            std::mem::take(&mut *self.given_up.lock())
        } else {
            Vec::new()
        }
    }

    /// SQLite's question. (3)
    pub fn should_stop(&self) -> bool {
        let turn = *self.turn.lock();
        if turn.number == 0 {
            return false;
        }
        if self.is_stopped(turn.number) {
            return true;
        }
        let is_watched = self.is_watched.load(Ordering::SeqCst);
        if turn.deadline.is_none() && !is_watched {
            return false;
        }
        let now = Instant::now();
        if turn.deadline.is_some_and(|deadline| now >= deadline) {
            return true;
        }
        match turn.watch_asked {
            Some(asked) if !is_watched || now < asked + WATCH_EVERY => false,
            asked => {
                // Only this thread has the connection, and the turn with it.
                self.turn.lock().watch_asked = Some(now);
                is_watched && asked.is_some() && self.ask_watch(turn.number)
            }
        }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Operations")
            .field("current", &self.current)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

/// Something that a session does, from its beginning to its answer. Dropped before
/// [`finish`](Self::finish), it is stopped, and the results that it was reading are closed. (2)
#[derive(Debug)]
pub struct Operation {
    operations: Arc<Operations>,
    number: u64,
    limit: Option<(Instant, Duration)>,
    over: bool,
}

impl Operation {
    /// The operation's number in its session.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// For [`Operations::enter`].
    pub(crate) fn turn(&self) -> (u64, Option<Instant>) {
        (self.number, self.limit.map(|(deadline, _)| deadline))
    }

    /// The operation has its answer, and that is no error.
    pub fn finish(mut self) {
        self.over = true;
        self.leave();
    }

    /// Why the operation was stopped, given that it was.
    pub(crate) fn reason(&self) -> Error {
        match self.limit {
            Some((deadline, timeout))
                if !self.operations.is_stopped(self.number) && Instant::now() >= deadline =>
            {
                Error::TimedOut { timeout_ms: timeout.as_millis() as u64 }
            }
            _ => Error::Interrupted,
        }
    }

    /// Resolves when the operation is to stop, with the reason.
    pub async fn stopped(&self) -> Error {
        let operations = &*self.operations;
        loop {
            let mut changed = pin!(operations.changed.notified());
            changed.as_mut().enable();
            if operations.is_stopped(self.number) {
                return Error::Interrupted;
            }
            let deadline = async {
                match self.limit {
                    Some((deadline, _)) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let is_watched = operations.is_watched.load(Ordering::SeqCst);
            tokio::select! {
                biased;
                () = changed => {}
                () = deadline => return self.reason(),
                () = tokio::time::sleep(WATCH_EVERY), if is_watched => {
                    operations.ask_watch(self.number);
                }
            }
        }
    }

    /// Waits for `work`, unless the operation is to stop first.
    ///
    /// # Errors
    /// Why it was stopped; `work` is dropped.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            reason = self.stopped() => Err(reason),
        }
    }

    fn leave(&self) {
        let operations = &*self.operations;
        let (number, current) = (self.number, &operations.current);
        // Should another have begun, that is the current one.
        let _ = current.compare_exchange(number, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.over {
            self.operations.stop(self.number);
            self.operations.given_up.lock().push(self.number);
            self.operations.has_given_up.store(true, Ordering::SeqCst);
            self.leave();
        }
    }
}

/// Stops what a session does, from anywhere.
#[derive(Clone, Debug)]
pub struct Canceller {
    operations: Arc<Operations>,
}

impl Canceller {
    pub(crate) fn new(operations: Arc<Operations>) -> Self {
        Self { operations }
    }

    /// Stops the operation that goes on now, if one does, and never a later one.
    pub fn cancel(&self) {
        self.operations.stop_current();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Arc<Operations> {
        Arc::default()
    }

    #[derive(Default)]
    struct Asked {
        times: AtomicU64,
        stops: AtomicBool,
    }

    impl Watch for Asked {
        fn should_stop(&self) -> bool {
            self.times.fetch_add(1, Ordering::SeqCst);
            self.stops.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_stop_does_nothing_to_the_next_operation() {
        let operations = operations();
        let canceller = Canceller::new(operations.clone());
        canceller.cancel();
        let first = operations.begin(None);
        assert!(!operations.is_stopped(first.number()), "nothing was running");
        let late = operations.current.load(Ordering::SeqCst);
        first.finish();
        let second = operations.begin(None);
        operations.stop(late);
        assert!(second.unless_stopped(async {}).await.is_ok());
        operations.enter(Some(second.turn()));
        assert!(!operations.should_stop());
        canceller.cancel();
        assert!(operations.should_stop());
        assert!(matches!(second.stopped().await, Error::Interrupted));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_is_dropped_is_stopped() {
        let operations = operations();
        let first = operations.begin(None);
        operations.enter(Some(first.turn()));
        drop(first);
        assert!(operations.should_stop());
        assert!(!operations.enter(Some((1, None))), "what had not begun never begins");
        let second = operations.begin(None);
        assert!(operations.enter(Some(second.turn())));
        assert!(!operations.should_stop());
        assert_eq!((operations.take_given_up(), operations.take_given_up()), (vec![1], vec![]));
        second.finish();
        assert_eq!(operations.take_given_up(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_says_how_long_was_allowed() {
        let operations = operations();
        let operation = operations.begin(Some(Duration::from_millis(250)));
        operations.enter(Some(operation.turn()));
        assert!(!operations.should_stop());
        let stopped = operation.unless_stopped(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(stopped.to_string(), "timed out after 250 ms");
        assert!(operations.should_stop());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_asked_at_intervals() {
        let operations = operations();
        let watch = Arc::new(Asked::default());
        operations.set_watch(Some(watch.clone()));
        let operation = operations.begin(None);
        operations.enter(Some(operation.turn()));
        for _ in 0..100 {
            assert!(!operations.should_stop());
        }
        assert_eq!(watch.times.load(Ordering::SeqCst), 0, "no time has passed");
        tokio::time::advance(WATCH_EVERY).await;
        assert!(!operations.should_stop());
        assert!(!operations.should_stop());
        assert_eq!(watch.times.load(Ordering::SeqCst), 1);
        watch.stops.store(true, Ordering::SeqCst);
        assert!(matches!(operation.stopped().await, Error::Interrupted));
        assert!(operations.should_stop(), "what the watch stopped stays stopped");
    }
}
