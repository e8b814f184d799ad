//! The binding's own runtime: one thread, for each process of a family of forks.
//!
//! Asynchronous calls run on it, and blocking ones that the core has no blocking twin for that could
//! be interrupted.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{errors, fork};

/// The runtime and the forks behind it. That of a process before a fork has no thread in the child,
/// and is left alone there.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process.
///
/// # Errors
/// The system gives no thread.
pub fn handle() -> PyResult<&'static Handle> {
    // Held for a few instructions only, but by any thread, also when another one forks: a child
    // that finds it locked for ever is no worse off than one that finds malloc's locks so.
    let mut runtime = RUNTIME.lock();
    if let Some((forks, runtime)) = *runtime
        && forks == fork::count()
    {
        return Ok(runtime.handle());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("dqlite-aio")
        .enable_all()
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("no runtime: {error}")))?;
    let made: &'static Runtime = Box::leak(Box::new(made));
    *runtime = Some((fork::count(), made));
    Ok(made.handle())
}

/// How often a thread that waits lets Python run its signal handlers.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Waits for a call, detached from the interpreter. An exception of a signal handler ends the call
/// where it stands.
///
/// # Errors
/// The call's, and what a signal handler raises.
pub fn wait<T: Send + 'static>(
    py: Python<'_>,
    call: impl Future<Output = Result<T, dqlite::Error>> + Send + 'static,
) -> PyResult<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let task = handle()?.spawn(async move {
        // Whoever waited may have gone.
        let _ = sender.send(call.await);
    });
    let waited = py.detach(move || {
        loop {
            match receiver.recv_timeout(SIGNALS_EVERY) {
                Ok(result) => return Ok(Some(result)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(Err(raised)) = Python::try_attach(|py| py.check_signals()) {
                task.abort();
                return Err(raised);
            }
        }
    })?;
    match waited {
        Some(result) => result.map_err(|error| errors::raise(py, error)),
        None => Err(errors::local(py, "internal", "the call ended without a result")),
    }
}
