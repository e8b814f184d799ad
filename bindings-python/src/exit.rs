//! The end of the interpreter, at which no thread of ours may be within it.
//!
//! Python before 3.14 ends a thread that comes back while it is going down, by unwinding, which
//! does not get through Rust: the process would abort. Threads of the runtime therefore enter by
//! [`attached`], and as the program ends, [`close`] waits until the last of them is out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

/// How many threads of the runtime are within the interpreter, or on their way.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static CLOSED: AtomicBool = AtomicBool::new(false);

struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `work` with this thread of the runtime attached to the interpreter; `None` if that is
/// ending.
pub fn attached<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    // Counted before the look: whoever closes does it the other way round.
    let _inside = Inside::enter();
    if CLOSED.load(Ordering::SeqCst) {
        return None;
    }
    Python::try_attach(work)
}

/// Registered with `atexit`.
#[pyfunction]
pub fn close(py: Python<'_>) {
    CLOSED.store(true, Ordering::SeqCst);
    py.detach(|| {
        while INSIDE.load(Ordering::SeqCst) > 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    });
}

/// A program goes on to use the package as it ends, in another function that `atexit` calls.
pub fn reopen() {
    if CLOSED.load(Ordering::Relaxed) {
        CLOSED.store(false, Ordering::SeqCst);
    }
}

/// This is the child of a fork: the threads that were within did not come with it.
pub fn forked() {
    INSIDE.store(0, Ordering::SeqCst);
}
