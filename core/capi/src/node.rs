//! dqlite's own `dqlite_node`: a node of a cluster, set up call by call, over
//! `dqlite_server::Node`.

mod address;
mod dialer;
mod message;
mod recovery;
mod settings;

use std::ffi::{CString, c_char, c_int, c_ulonglong};
use std::sync::Arc;

use dqlite::blocking;
use dqlite_env::{Entropy, Env};
use dqlite_server::{Node, NodeOptions};
use parking_lot::Mutex;

use crate::arguments::{Place, path, text};
use crate::failure::{Failure, guarded};
use crate::handle::{Kind, Registry};

pub(crate) use dialer::Dialer;
pub use dialer::dqlite_connect_func;
pub(crate) use message::Message;

/// A node's number.
pub type dqlite_node_id = c_ulonglong;

/// What the dqlite_node functions return: success.
pub const DQLITE_OK: c_int = 0;
/// The call failed; dqlite_node_errmsg() says why.
pub const DQLITE_ERROR: c_int = 1;
/// The call makes no sense: at this time, of this node, or with these arguments.
pub const DQLITE_MISUSE: c_int = 2;
/// There is not enough memory. This library never returns it.
#[allow(dead_code, reason = "C has it")]
pub const DQLITE_NOMEM: c_int = 3;

/// A node of a cluster, set up call by call. It serves clients and other nodes over the network.
pub struct dqlite_node {
    _opaque: [u8; 0],
}

/// A node, and what C borrows of it.
pub(crate) struct Held {
    state: Mutex<State>,
    message: Message,
}

struct State {
    options: NodeOptions,
    dialer: Arc<Dialer>,
    running: Option<Node>,
    /// Addresses that C was told, the last one in force: it may still hold the ones before.
    bind_addresses: Vec<CString>,
    /// Why it cannot be used at all.
    broken: Option<String>,
}

static NODES: Registry<Held> = Registry::new(Kind::Node);

/// Why a call of dqlite's own API failed.
pub(crate) struct Refusal {
    code: c_int,
    message: String,
}

impl Refusal {
    pub fn misuse(message: impl Into<String>) -> Self {
        Self { code: DQLITE_MISUSE, message: message.into() }
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn error(message: impl ToString) -> Self {
        Self { code: DQLITE_ERROR, message: message.to_string() }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let code = if failure.entry().id == "argument" { DQLITE_MISUSE } else { DQLITE_ERROR };
        Self { code, message: failure.message().to_owned() }
    }
}

/// Runs a call on a node; what goes wrong becomes its message.
fn on_node(node: *mut dqlite_node, body: impl FnOnce(&Held) -> Result<(), Refusal>) -> c_int {
    let Ok(held) = NODES.get(node) else { return DQLITE_MISUSE };
    let done = guarded(|| Ok(body(&held)));
    match done.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(()) => DQLITE_OK,
        Err(refusal) => {
            held.message.set(&refusal.message);
            refusal.code
        }
    }
}

/// Runs a call on a node that does not run.
fn while_stopped(
    node: *mut dqlite_node,
    body: impl FnOnce(&mut State) -> Result<(), Refusal>,
) -> c_int {
    on_node(node, |held| {
        let mut state = held.state.lock();
        if let Some(reason) = &state.broken {
            return Err(Refusal::misuse(reason.clone()));
        }
        if state.running.is_some() {
            return Err(Refusal::misuse("the node is running"));
        }
        body(&mut state)
    })
}

/// Waits for a call of the server's on this thread.
pub(crate) fn wait<T>(
    call: impl Future<Output = Result<T, dqlite_server::Error>>,
) -> Result<T, Refusal> {
    let waited = blocking::wait(async { Ok(call.await) }, None);
    waited.map_err(Refusal::error)?.map_err(Refusal::error)
}

impl State {
    fn new(options: NodeOptions) -> Self {
        let dialer = Arc::new(Dialer::default());
        Self { options, dialer, running: None, bind_addresses: Vec::new(), broken: None }
    }

    fn env(&self) -> Env {
        Env { network: self.dialer.clone(), ..Env::real() }
    }

    fn start(&mut self) -> Result<(), Refusal> {
        self.dialer.reopen();
        let node = wait(Node::start(self.env(), self.options.clone()))?;
        self.tell_address(&node.listening_on());
        self.running = Some(node);
        Ok(())
    }

    fn tell_address(&mut self, address: &str) {
        let address = crate::error::c_text(address);
        if self.bind_addresses.last() != Some(&address) {
            self.bind_addresses.push(address);
        }
    }
}

/// Binds the socket that a node will listen on; gives its address as C is told it.
pub(crate) fn bind(dialer: &Dialer, given: &str) -> Result<String, Refusal> {
    // The node may have been bound to this very address before.
    dialer.forget();
    let bound = address::bind(given)
        .map_err(|error| Refusal::error(format!("cannot bind to {given}: {error}")))?;
    let told = address::told(given, &bound);
    dialer.keep(bound);
    Ok(told)
}

/// Stops a node. No connect function runs after that.
pub(crate) fn stop(node: &Node, dialer: &Dialer) -> Result<(), Refusal> {
    let stopping = async {
        node.stop().await;
        Ok(())
    };
    let stopped = wait(stopping);
    dialer.close();
    stopped
}

impl Drop for Held {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if let Some(node) = state.running.take() {
            let _ = stop(&node, &state.dialer);
        }
        state.dialer.close();
    }
}

/// Makes a node, which does not run yet.
///
/// `id` names it in the cluster for good. A node with the id 1, or 0x2dc171858c3155be, begins a
/// cluster when its folder is new; any other waits until a client adds it to one. `address` is
/// where clients and other nodes reach it: "host" or "host:port" with a numeric host and the port
/// 8080 unless given, or whatever the connect function takes. `data_dir` is the folder for its
/// files, made if need be.
///
/// `*n` must be destroyed even when this fails, and has the message then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_node_create(
    id: dqlite_node_id,
    address: *const c_char,
    data_dir: *const c_char,
    n: *mut *mut dqlite_node,
) -> c_int {
    // SAFETY: `n` is as the header demands.
    let Ok(place) = (unsafe { Place::required(n, "n") }) else { return DQLITE_MISUSE };
    // SAFETY: so are the texts.
    let options = guarded(|| unsafe { options(id, address, data_dir) });
    let (state, failure) = match options {
        Ok(options) => (State::new(options), None),
        Err(failure) => {
            let broken = Some(failure.message().to_owned());
            (State { broken, ..State::new(NodeOptions::new("", "")) }, Some(failure))
        }
    };
    let message = Message::default();
    if let Some(failure) = &failure {
        message.set(failure.message());
    }
    place.set(NODES.insert(Held { state: Mutex::new(state), message }));
    if failure.is_some() { DQLITE_MISUSE } else { DQLITE_OK }
}

/// The id of the node that begins a cluster, in go-dqlite's `app`. 1 does so too.
pub(crate) const BOOTSTRAP_ID: u64 = 0x2dc1_7185_8c31_55be;

/// # Safety
/// The texts are NULL or end with a NUL.
unsafe fn options(
    id: u64,
    address: *const c_char,
    data_dir: *const c_char,
) -> Result<NodeOptions, Failure> {
    // SAFETY: the caller's promise.
    let (address, data_dir) = unsafe { (text(address, "address")?, path(data_dir, "data_dir")?) };
    if id == 0 {
        return Err(Failure::argument("0 is no id"));
    }
    if address.is_empty() || data_dir.as_os_str().is_empty() {
        return Err(Failure::argument("a node needs an address and a folder"));
    }
    let mut options = NodeOptions::new(data_dir, address);
    options.id = Some(id);
    options.standbys = 0;
    // dqlite leaves roles to clients, unless it is told.
    options.roles_patience = None;
    options.wait_to_be_added = id != 1 && id != BOOTSTRAP_ID;
    Ok(options)
}

/// Destroys a node; one that runs is stopped. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_destroy(n: *mut dqlite_node) {
    let _ = guarded(|| {
        drop(NODES.remove(n));
        Ok(())
    });
}

/// Starts the node. When this returns, it serves clients; its cluster may have no leader yet.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_start(n: *mut dqlite_node) -> c_int {
    while_stopped(n, State::start)
}

/// The node that runs.
fn running(held: &Held) -> Result<(Node, Arc<Dialer>), Refusal> {
    let state = held.state.lock();
    let node = state.running.clone().ok_or_else(|| Refusal::misuse("the node is not running"))?;
    Ok((node, state.dialer.clone()))
}

/// Hands the lead and the vote over to other nodes, if there are any who can take them: before
/// dqlite_node_stop(). Not 0 when nobody could take all of it; the node may be stopped all the
/// same.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_handover(n: *mut dqlite_node) -> c_int {
    on_node(n, |held| {
        let (node, _) = running(held)?;
        wait(node.handover())
    })
}

/// Stops the node: ends the connections of its clients and closes its files.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_stop(n: *mut dqlite_node) -> c_int {
    on_node(n, |held| {
        let (node, dialer) = running(held)?;
        stop(&node, &dialer)?;
        held.state.lock().running = None;
        Ok(())
    })
}

/// Why the last call of the node failed. The text lives as long as the node and changes with its
/// next failure.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_errmsg(n: *mut dqlite_node) -> *const c_char {
    match NODES.get(n) {
        Ok(held) => held.message.as_ptr(),
        Err(crate::handle::Miss::Null) => c"the node is NULL".as_ptr(),
        Err(_) => c"there is no such node: it was destroyed, or never created".as_ptr(),
    }
}

/// An id for a new node that no other node has, as good as certainly. Never 0, and none that begins
/// a cluster.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_generate_node_id(address: *const c_char) -> dqlite_node_id {
    // Random numbers need no address to differ.
    let _ = address;
    let entropy = Entropy::os();
    let id = guarded(|| {
        loop {
            let id = entropy.next();
            if id > 1 && id != BOOTSTRAP_ID {
                return Ok(id);
            }
        }
    });
    id.unwrap_or_default()
}
