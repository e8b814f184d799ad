//! The write lane of a database: one writer at a time.
//!
//! Handing the lane from one session to the next costs more than a small transaction does. So
//! writers do not only queue for the lane, they also leave their work beside it, and whoever gets
//! the lane does the work of all who wait, one after the other, on one thread.
//!
//! 1. Work is done once, by somebody who holds the lane, or taken back before it was begun.
//! 2. A transaction that stays open keeps the lane; what is left of the work then waits for the
//!    next holder.
//! 3. The lane goes round in the order of asking, and nobody does more than [`WORK_MAX`] at once,
//!    so an open transaction that waits gets its turn.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dqlite_env::Blocking;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// The most pieces of work that one holder does.
const WORK_MAX: usize = 64;

/// The right to write.
pub(crate) type Permit = OwnedSemaphorePermit;

/// Work takes the lane and gives it back, unless its transaction stays open.
type Work = Box<dyn FnOnce(Permit) -> Option<Permit> + Send>;

#[derive(Clone)]
pub(crate) struct Lane {
    permits: Arc<Semaphore>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next_id: u64,
    work: VecDeque<(u64, Work)>,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Lane")
            .field("free", &self.permits.available_permits())
            .field("waiting", &self.waiting.lock().work.len())
            .finish()
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

impl Lane {
    /// Waits for the lane.
    pub async fn take(&self) -> Permit {
        match self.permits.clone().acquire_owned().await {
            Ok(permit) => permit,
            Err(_) => unreachable!("nobody closes the lane"),
        }
    }

    /// Has `work` done in the lane, here or by whoever holds it first.
    ///
    /// # Errors
    /// [`Error::Busy`] when it was not begun before `deadline`, [`Error::Interrupted`] when it was
    /// not begun before `stop`. Dropped before it is begun, it is never done; dropped later, it is
    /// done to its end.
    pub async fn run<T, F>(
        &self,
        blocking: Blocking,
        work: F,
        deadline: Instant,
        stop: impl Future<Output = ()>,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(Permit) -> (T, Option<Permit>) + Send + 'static,
    {
        let mut stop = pin!(stop);
        let mut stopped = false;
        let (done_in, mut done) = oneshot::channel();
        let place = self.leave(Box::new(move |permit| {
            let (value, permit) = work(permit);
            // Who does not wait for the value any more does not miss it.
            let _ = done_in.send(value);
            permit
        }));
        loop {
            tokio::select! {
                biased;
                value = &mut done => return value.map_err(|_| Error::NotLeader),
                () = &mut stop, if !stopped => {
                    if place.take_back() {
                        return Err(Error::Interrupted);
                    }
                    stopped = true;
                }
                permit = timeout_at(deadline, self.take()) => match permit {
                    Ok(permit) => {
                        let lane = self.clone();
                        let work = blocking.run(move || lane.work(permit));
                        tokio::select! {
                            biased;
                            // The rest is others' work: it goes on without anybody waiting here.
                            value = &mut done => return value.map_err(|_| Error::NotLeader),
                            () = work => {}
                        }
                    }
                    Err(_) if place.take_back() => return Err(Error::Busy),
                    Err(_) => return done.await.map_err(|_| Error::NotLeader),
                },
            }
        }
    }

    fn leave(&self, work: Work) -> Place {
        let mut waiting = self.waiting.lock();
        let id = waiting.next_id;
        waiting.next_id += 1;
        waiting.work.push_back((id, work));
        Place { waiting: self.waiting.clone(), id }
    }

    /// Does what waits.
    fn work(&self, permit: Permit) {
        let mut permit = permit;
        for _ in 0..WORK_MAX {
            let Some((_, work)) = self.waiting.lock().work.pop_front() else { return };
            match work(permit) {
                Some(returned) => permit = returned,
                None => return, // (2)
            }
        }
    }
}

/// Where work waits. Dropping it takes the work back. (1)
struct Place {
    waiting: Arc<Mutex<Waiting>>,
    id: u64,
}

impl Place {
    /// True where the work was not begun; it never will be.
    fn take_back(&self) -> bool {
        let mut waiting = self.waiting.lock();
        let found = waiting.work.iter().position(|(id, _)| *id == self.id);
        found.and_then(|at| waiting.work.remove(at)).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// A deadline for writers that wait.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    // A timeout too long to add means no deadline that anybody lives to see.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + timeout.min(CENTURY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn soon() -> Instant {
        deadline_after(Duration::from_millis(20))
    }

    fn late() -> Instant {
        deadline_after(Duration::MAX)
    }

    #[tokio::test]
    async fn whoever_holds_the_lane_does_what_waits() {
        let lane = Lane::default();
        let held = lane.take().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut writers = Vec::new();
        for number in 0..100 {
            let (lane, order) = (lane.clone(), order.clone());
            let work = move |permit| {
                order.lock().push((number, std::thread::current().id()));
                (number, Some(permit))
            };
            writers.push(tokio::spawn(async move {
                lane.run(Blocking::Pool, work, late(), pending()).await.unwrap()
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for (number, writer) in writers.into_iter().enumerate() {
            assert_eq!(writer.await.unwrap(), number);
        }
        let order = order.lock();
        assert!(order.iter().map(|(number, _)| *number).eq(0..100), "in the order of asking");
        assert!(order[..WORK_MAX].iter().all(|(_, thread)| *thread == order[0].1));
    }

    #[tokio::test]
    async fn nobody_waits_for_the_work_of_others() {
        let lane = Lane::default();
        let held = lane.take().await;
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let quick = |permit| ((), Some(permit));
        let slow = move |permit| (finished.recv().unwrap(), Some(permit));
        let runner = lane.clone();
        let quick = tokio::spawn(async move {
            runner.run(Blocking::Pool, quick, late(), pending()).await.unwrap()
        });
        tokio::task::yield_now().await;
        let slow = tokio::spawn(async move {
            lane.run(Blocking::Pool, slow, late(), pending()).await.unwrap()
        });
        tokio::task::yield_now().await;
        drop(held);
        quick.await.unwrap();
        finish.send(()).unwrap();
        slow.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_keeps_the_lane_stops_the_rest() {
        let lane = Lane::default();
        let kept = Arc::new(Mutex::new(None));
        let keep = kept.clone();
        let keeper = move |permit| {
            *keep.lock() = Some(permit);
            ((), None)
        };
        lane.run(Blocking::Pool, keeper, late(), pending()).await.unwrap();
        let begun = Arc::new(AtomicUsize::new(0));
        let count = begun.clone();
        let counter = move |permit| {
            count.fetch_add(1, Ordering::SeqCst);
            ((), Some(permit))
        };
        let refused = lane.run(Blocking::Pool, counter.clone(), soon(), pending()).await;
        assert!(matches!(refused, Err(Error::Busy)));
        *kept.lock() = None;
        lane.run(Blocking::Pool, counter, late(), pending()).await.unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 1, "what was taken back is not done");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_begun() {
        let lane = Lane::default();
        let held = lane.take().await;
        let work = |permit: Permit| -> ((), Option<Permit>) {
            drop(permit);
            panic!("nobody waits for this");
        };
        let waiting = lane.run(Blocking::Pool, work, late(), pending());
        assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
        let stopped = lane.run(Blocking::Pool, work, late(), std::future::ready(())).await;
        assert!(matches!(stopped, Err(Error::Interrupted)));
        drop(held);
        lane.run(Blocking::Pool, |permit| ((), Some(permit)), late(), pending()).await.unwrap();
    }
}
