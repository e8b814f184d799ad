//! One connection, one call at a time; and a cancelled call is the one that was meant.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

/// The calls of a connection in the order of their starting.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<()>>);

/// The call was cancelled before its turn came: it did nothing.
pub struct Skipped;

impl Turns {
    /// Runs a call when its turn has come. Once `cancel` is notified it is interrupted, and this
    /// returns when the call has ended.
    ///
    /// # Errors
    /// It was cancelled before it began.
    pub async fn run<T>(
        &self,
        connection: &dqlite::Connection,
        cancel: &Notify,
        call: impl Future<Output = T>,
    ) -> Result<T, Skipped> {
        let cancelled = cancel.notified();
        let mut cancelled = pin!(cancelled);
        let _turn = tokio::select! {
            biased;
            () = &mut cancelled => return Err(Skipped),
            turn = self.0.lock() => turn,
        };
        let mut call = pin!(call);
        tokio::select! {
            biased;
            done = &mut call => return Ok(done),
            () = &mut cancelled => {}
        }
        loop {
            // The turn is ours, so what runs now is this call, or nothing of it yet.
            connection.interrupt();
            tokio::select! {
                biased;
                done = &mut call => return Ok(done),
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
        }
    }
}
