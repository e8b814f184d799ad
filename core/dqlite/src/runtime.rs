//! The runtime that serves whoever has none: blocking calls, and nodes that outlive their callers'.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};

use crate::error::Error;

/// How often a call that waits asks whether it is still wanted.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// A runtime, or why there is none, and the process that its threads run in.
struct Begun {
    process: u32,
    runtime: Result<Runtime, String>,
}

impl Begun {
    fn now() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("dqlite")
            .enable_all()
            .build()
            .map_err(|error| error.to_string());
        Self { process: std::process::id(), runtime }
    }
}

/// The runtime of this process, begun with its first use.
///
/// A fork leaves a runtime's threads behind. The child begins one of its own, and that of the
/// parent is left as it is.
///
/// # Errors
/// The operating system gives no threads.
pub(crate) fn handle() -> Result<&'static Handle, Error> {
    static FIRST: OnceLock<Begun> = OnceLock::new();
    static IN_CHILDREN: LazyLock<Mutex<HashMap<u32, &'static Begun>>> =
        LazyLock::new(Mutex::default);
    let first = FIRST.get_or_init(Begun::now);
    let process = std::process::id();
    let begun: &'static Begun = if first.process == process {
        first
    } else {
        let mut children = IN_CHILDREN.lock();
        *children.entry(process).or_insert_with(|| Box::leak(Box::new(Begun::now())))
    };
    match &begun.runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(reason) => {
            Err(Error::new("internal", format!("threads could not be started: {reason}")))
        }
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `work` to its end on this thread, in the runtime's context. `watch` is asked about every
/// 50 milliseconds while it waits; it may cancel what is waited for.
///
/// Unlike tokio's own, this may be called inside another runtime: it then blocks that thread.
pub(crate) fn block_on<T>(
    handle: &Handle,
    work: impl Future<Output = T>,
    watch: Option<&dyn Fn()>,
) -> T {
    let _entered = handle.enter();
    let mut work = pin!(work);
    // Most calls are done at once and wake nobody.
    if let Poll::Ready(value) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return value;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
        match watch {
            Some(watch) => {
                std::thread::park_timeout(WATCH_EVERY);
                watch();
            }
            None => std::thread::park(),
        }
    }
}
