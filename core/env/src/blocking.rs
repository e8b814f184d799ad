//! Calls that may block their thread: SQLite, and files.

/// Where a blocking call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// On tokio's pool of blocking threads.
    Pool,
    /// On the calling task's thread: in a simulation every call takes no time.
    Inline,
}

impl Blocking {
    /// Runs `call` to its end and gives its result. A panic in `call` continues in the caller.
    ///
    /// Dropping the future does not stop a call that has begun.
    pub async fn run<F, T>(&self, call: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self {
            Self::Inline => call(),
            Self::Pool => match tokio::task::spawn_blocking(call).await {
                Ok(value) => value,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is shutting down: nobody is left to see a result.
                    Err(_) => std::future::pending().await,
                },
            },
        }
    }
}
