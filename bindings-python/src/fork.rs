//! Forks: what was made before one cannot be used after it, in the child.
//!
//! A fork copies the memory of all threads and runs only one of them: a lock that another held
//! stays locked, and the runtime's threads are gone. So objects keep the number of forks that lie
//! behind them, and a child, which counts one more, refuses them before it touches a lock.

use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::{errors, exit};

static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    exit::forked();
}

/// Begins to count the forks of this process. Forks by `os.fork`, by `multiprocessing` and by other
/// libraries count alike.
///
/// # Errors
/// The system has no memory for the hook.
pub fn watch(_py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    let mut code = 0;
    // SAFETY: `forked` only writes to atomics, which is all that a child of a process with threads
    // may do, and this library is never unloaded: Python does not unload extension modules.
    ONCE.call_once(|| code = unsafe { libc::pthread_atfork(None, None, Some(forked)) });
    match code {
        0 => Ok(()),
        code => Err(PyOSError::new_err(code)),
    }
}

/// How many forks lie between the first process that used this library and this one.
pub fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Something that belongs to the process it was made in: elsewhere it is neither used nor dropped.
pub struct Owned<T> {
    forks: u32,
    value: ManuallyDrop<T>,
}

impl<T> Owned<T> {
    /// Ties a value to this process.
    pub fn new(value: T) -> Self {
        Self { forks: count(), value: ManuallyDrop::new(value) }
    }

    /// The value, if this is still the process it was made in.
    ///
    /// # Errors
    /// `InterfaceError` (`forked`).
    pub fn get(&self, py: Python<'_>) -> PyResult<&T> {
        if self.forks == count() {
            return Ok(&self.value);
        }
        let message = "made before this process forked; open a connection in the child instead";
        Err(errors::local(py, "forked", message))
    }

    /// The value, without an error to say why not.
    pub fn get_quietly(&self) -> Option<&T> {
        (self.forks == count()).then_some(&self.value)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.forks == count() {
            // SAFETY: nothing uses the value after this, as `self` is being dropped.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
