//! The network of a node of C's: a connect function of the program's, and a socket bound
//! beforehand.
//!
//! 1. A connect function blocks, so it runs on a thread for that. One address has one call at a
//!    time: a peer that is slow to answer does not use up all threads.
//! 2. A connection that comes after its caller has given up is kept for a moment, for the next.
//! 3. No connect function runs, or is called, once the dialer was closed.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use dqlite_env::{Bound, BoxFuture, Listener, Network, RealNetwork, Stream, adopt};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::address;

/// Connects to the node at `addr` and stores the socket, TCP or unix, in `*fd`. It may block, and
/// may be called on any thread, on several at once for different addresses. 0 is success; 16 is
/// RAFT_NOCONNECTION: the node cannot be reached, and will be tried again. The socket is the
/// library's from then on.
pub type dqlite_connect_func =
    Option<unsafe extern "C" fn(arg: *mut c_void, addr: *const c_char, fd: *mut c_int) -> c_int>;

/// What a connect function returns when the node cannot be reached.
const RAFT_NOCONNECTION: c_int = 16;

/// How long a connection that came too late is good for.
const LATE_FOR: Duration = Duration::from_secs(5);

/// The program's function, and what it is called with.
#[derive(Clone, Copy)]
struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_int) -> c_int,
    arg: *mut c_void,
}

// SAFETY: the header says that the function is called on any thread, so that what `arg` points to
// must allow that.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

/// The network of a node of C's.
#[derive(Default)]
pub(crate) struct Dialer {
    chosen: Mutex<Option<Callback>>,
    /// The function while it may be called: read for as long as a call takes. (3)
    open: Arc<RwLock<bool>>,
    turns: Mutex<HashMap<String, Turn>>,
    bound: Mutex<Option<Bound>>,
}

/// Whoever has it may dial one address. (1)
type Turn = Arc<tokio::sync::Mutex<Option<Late>>>;

/// A connection that nobody waited for any more. (2)
struct Late {
    socket: OwnedFd,
    since: Instant,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Dialer")
    }
}

impl Dialer {
    /// Has the program's function connect from now on; with `None` the system does.
    pub fn choose(&self, function: dqlite_connect_func, arg: *mut c_void) {
        *self.chosen.lock() = function.map(|function| Callback { function, arg });
    }

    /// The next one to listen gets this socket.
    pub fn keep(&self, bound: Bound) {
        *self.bound.lock() = Some(bound);
    }

    /// Lets go of a socket that nobody has listened on.
    pub fn forget(&self) {
        *self.bound.lock() = None;
    }

    /// Functions may be called from now on.
    pub fn reopen(&self) {
        *self.open.write() = true;
    }

    /// Waits for a function that runs to return; none is called from now on. (3)
    pub fn close(&self) {
        *self.open.write() = false;
        self.turns.lock().clear();
    }

    async fn call(&self, callback: Callback, address: &str) -> io::Result<Box<dyn Stream>> {
        let turn = self.turns.lock().entry(address.to_owned()).or_default().clone();
        let mut late = turn.lock_owned().await;
        if let Some(found) = late.take().filter(|it| it.since.elapsed() < LATE_FOR) {
            return adopt(found.socket);
        }
        let (answer, answered) = oneshot::channel();
        let open = self.open.clone();
        let address = CString::new(address)?;
        tokio::task::spawn_blocking(move || {
            let may_call = open.read();
            let dialled = if *may_call {
                callback.dial(&address)
            } else {
                Err(io::Error::other("the node has stopped"))
            };
            if let Err(Ok(socket)) = answer.send(dialled) {
                *late = Some(Late { socket, since: Instant::now() });
            }
        });
        let dialled = answered.await.map_err(|_| io::Error::other("the process is ending"))?;
        adopt(dialled?)
    }
}

impl Callback {
    fn dial(self, address: &CString) -> io::Result<OwnedFd> {
        let mut socket = -1;
        // SAFETY: the program gave the function for this.
        let answer = unsafe { (self.function)(self.arg, address.as_ptr(), &raw mut socket) };
        match answer {
            // SAFETY: the program has given the socket away.
            0 if socket >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(socket) }),
            0 => Err(io::Error::other("the connect function gave no socket")),
            RAFT_NOCONNECTION => Err(io::ErrorKind::ConnectionRefused.into()),
            other => Err(io::Error::other(format!("the connect function returned {other}"))),
        }
    }
}

impl Network for Dialer {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        let chosen = *self.chosen.lock();
        match chosen {
            Some(callback) => Box::pin(self.call(callback, address)),
            None => Box::pin(async move { RealNetwork.connect(&address::to_dial(address)).await }),
        }
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        Box::pin(async move {
            let bound = self.bound.lock().take();
            bound.map_or_else(|| address::bind(address), Ok)?.listen()
        })
    }
}

#[cfg(test)]
mod tests;
