//! The runtime that asynchronous calls run on: one thread, for each process of a family of forks.

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::fork;

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
