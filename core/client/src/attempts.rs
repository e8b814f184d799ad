//! When to try again, and after which pause.

use std::time::Duration;

use dqlite_env::Entropy;
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::Failure;
use crate::pool::Pool;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Pauses that double, from 50 to 250 milliseconds, less up to a half by chance.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: PAUSE_MIN }
    }
}

impl Backoff {
    /// Waits. False, at once, if the deadline comes first.
    pub async fn pause(&mut self, entropy: &Entropy, deadline: Instant) -> bool {
        let share = (entropy.next() >> 32) as u32; // of 2^32
        let pause = self.pause - self.pause / 2 * (share >> 24) / 256;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let until = Instant::now() + pause;
        if until >= deadline {
            return false;
        }
        tokio::time::sleep_until(until).await;
        true
    }
}

/// The attempts at one call.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    pool: &'a Pool,
    pub deadline: Instant,
    backoff: Backoff,
}

impl<'a> Attempts<'a> {
    pub fn new(pool: &'a Pool, timeout: Duration) -> Self {
        Self { pool, deadline: Instant::now() + timeout, backoff: Backoff::default() }
    }

    /// Returns after a pause if the call may be made again.
    ///
    /// # Errors
    /// It may not, or the time is over: the failure.
    pub async fn again(&mut self, address: &str, failure: Failure) -> Result<(), Error> {
        self.note(address, &failure);
        if failure.is_repeatable() {
            self.anyway(failure.into()).await
        } else {
            Err(failure.into())
        }
    }

    /// The same for what the caller knows to be repeatable.
    pub async fn anyway(&mut self, error: Error) -> Result<(), Error> {
        let entropy = &self.pool.search().env().entropy;
        if self.pool.options().retry && self.backoff.pause(entropy, self.deadline).await {
            tracing::debug!(%error, "trying again");
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Draws the conclusions about the node.
    pub fn note(&self, address: &str, failure: &Failure) {
        if failure.fault.is_not_leader() {
            self.pool.forget(address);
        }
    }
}
