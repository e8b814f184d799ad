//! dqlite's own `dqlite_server`: a node that begins or joins its cluster by itself.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::dqlite_server::{Node, NodeOptions, identity};
use dqlite::{Operation, blocking};
use dqlite_env::{Entropy, Env};
use parking_lot::Mutex;

use crate::arguments::{Place, items, path, text};
use crate::failure::guarded;
use crate::handle::{Kind, Registry};
use crate::node::{
    BOOTSTRAP_ID, Dialer, Message, Refusal, bind, dqlite_connect_func, dqlite_node_id, stop, wait,
};

/// How long a start waits for the node to be in a cluster with a leader.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A node that begins or joins its cluster by itself.
pub struct dqlite_server {
    _opaque: [u8; 0],
}

struct Held {
    state: Mutex<State>,
    message: Message,
}

#[derive(Default)]
struct State {
    data_dir: PathBuf,
    address: Option<String>,
    bind: Option<String>,
    bootstrap: bool,
    join: Vec<String>,
    dialer: Arc<Dialer>,
    running: Option<Node>,
    id: u64,
}

static SERVERS: Registry<Held> = Registry::new(Kind::Server);

/// What the dqlite_server functions return when they fail.
const FAILED: c_int = 1;

fn on_server(server: *mut dqlite_server, body: impl FnOnce(&Held) -> Result<(), Refusal>) -> c_int {
    let Ok(held) = SERVERS.get(server) else { return FAILED };
    let done = guarded(|| Ok(body(&held)));
    match done.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(()) => 0,
        Err(refusal) => {
            held.message.set(refusal.message());
            FAILED
        }
    }
}

fn while_stopped(
    server: *mut dqlite_server,
    body: impl FnOnce(&mut State) -> Result<(), Refusal>,
) -> c_int {
    on_server(server, |held| {
        let mut state = held.state.lock();
        if state.running.is_some() {
            return Err(Refusal::misuse("the server is running"));
        }
        body(&mut state)
    })
}

/// Makes a server, which does not run yet. `path` is an existing folder for its files.
///
/// `*server` must be destroyed even when this fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_server_create(
    path: *const c_char,
    server: *mut *mut dqlite_server,
) -> c_int {
    // SAFETY: `server` is as the header demands.
    let Ok(place) = (unsafe { Place::required(server, "server") }) else { return FAILED };
    let message = Message::default();
    // SAFETY: so is `path`.
    let data_dir = match guarded(|| unsafe { self::path(path, "path") }) {
        Ok(path) => path.to_owned(),
        Err(failure) => {
            message.set(failure.message());
            PathBuf::new()
        }
    };
    let failed = data_dir.as_os_str().is_empty();
    let state = State { data_dir, ..State::default() };
    place.set(SERVERS.insert(Held { state: Mutex::new(state), message }));
    if failed { FAILED } else { 0 }
}

/// Sets where clients and other servers reach this one. Needed before its first start; later starts
/// keep the address that it had then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_server_set_address(
    server: *mut dqlite_server,
    address: *const c_char,
) -> c_int {
    while_stopped(server, |state| {
        // SAFETY: `address` is as the header demands.
        state.address = Some(unsafe { text(address, "address") }?.to_owned());
        Ok(())
    })
}

/// Has the server begin a cluster with its first start. Exactly one of a cluster does.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_set_auto_bootstrap(server: *mut dqlite_server, on: bool) -> c_int {
    while_stopped(server, |state| {
        state.bootstrap = on;
        Ok(())
    })
}

/// Has the server join the cluster of the servers at these addresses with its first start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_server_set_auto_join(
    server: *mut dqlite_server,
    addrs: *const *const c_char,
    n: c_uint,
) -> c_int {
    while_stopped(server, |state| {
        // SAFETY: `addrs` is as the header demands.
        let addresses = unsafe { items(addrs, n as usize, "addrs") }?;
        for address in addresses {
            // SAFETY: so are the texts in it.
            state.join.push(unsafe { text(*address, "an address to join") }?.to_owned());
        }
        Ok(())
    })
}

/// Has the server listen elsewhere than on its address: as dqlite_node_set_bind_address().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_server_set_bind_address(
    server: *mut dqlite_server,
    addr: *const c_char,
) -> c_int {
    while_stopped(server, |state| {
        // SAFETY: `addr` is as the header demands.
        state.bind = Some(unsafe { text(addr, "addr") }?.to_owned());
        Ok(())
    })
}

/// Has `f` connect to other servers, called with `arg`; NULL has the system do it.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_set_connect_func(
    server: *mut dqlite_server,
    f: dqlite_connect_func,
    arg: *mut c_void,
) -> c_int {
    while_stopped(server, |state| {
        state.dialer.choose(f, arg);
        Ok(())
    })
}

impl State {
    fn env(&self) -> Env {
        Env { network: self.dialer.clone(), ..Env::real() }
    }

    fn options(&self) -> Result<NodeOptions, Refusal> {
        let env = self.env();
        if !env.files.exists(&self.data_dir).map_err(Refusal::error)? {
            return Err(Refusal::error(format!("{} does not exist", self.data_dir.display())));
        }
        let known = identity(&env, &self.data_dir).map_err(Refusal::error)?;
        let is_new = known.is_none();
        if self.bootstrap && !self.join.is_empty() {
            let reason = "a server that begins a cluster has none to join";
            return Err(Refusal::misuse(reason));
        }
        if is_new && !self.bootstrap && self.join.is_empty() {
            let reason = "a new server begins a cluster, or joins one: it was told neither";
            return Err(Refusal::misuse(reason));
        }
        let (id, address) = match known {
            Some(known) => known,
            None => {
                let address = self.address.clone();
                let reason = "a new server needs an address";
                let address = address.ok_or_else(|| Refusal::misuse(reason))?;
                (if self.bootstrap { BOOTSTRAP_ID } else { new_id() }, address)
            }
        };
        let mut options = NodeOptions::new(&self.data_dir, address);
        options.id = Some(id);
        options.join = self.join.clone();
        options.wait_to_be_added = !(is_new && self.bootstrap);
        Ok(options)
    }

    fn start(&mut self) -> Result<(), Refusal> {
        let mut options = self.options()?;
        let given = self.bind.clone().unwrap_or_else(|| options.address.clone());
        options.bind = Some(bind(&self.dialer, &given)?);
        self.dialer.reopen();
        let node = wait(Node::start(self.env(), options))?;
        let limit = Operation::with_timeout(START_TIMEOUT);
        let ready = blocking::wait(async { Ok(node.ready().await) }, Some(&limit));
        let ready = ready.map_err(Refusal::error).and_then(|it| it.map_err(Refusal::error));
        if let Err(refusal) = ready {
            stop(&node, &self.dialer)?;
            let reason = format!("the server found no cluster in time: {}", refusal.message());
            return Err(Refusal::error(reason));
        }
        self.id = node.id();
        self.running = Some(node);
        Ok(())
    }
}

fn new_id() -> u64 {
    let entropy = Entropy::os();
    loop {
        let id = entropy.next();
        if id > 1 && id != BOOTSTRAP_ID {
            return id;
        }
    }
}

/// Starts the server: it begins its cluster, joins one, or comes back to the one that it was in.
/// When this returns, it has its place and the cluster has a leader; if that takes more than half a
/// minute, the server is stopped and this fails.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_start(server: *mut dqlite_server) -> c_int {
    while_stopped(server, State::start)
}

/// The server's id; 0 before it was started.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_get_id(server: *mut dqlite_server) -> dqlite_node_id {
    SERVERS.get(server).map_or(0, |held| held.state.lock().id)
}

fn running(held: &Held) -> Result<(Node, Arc<Dialer>), Refusal> {
    let state = held.state.lock();
    let reason = "the server is not running";
    let node = state.running.clone().ok_or_else(|| Refusal::misuse(reason))?;
    Ok((node, state.dialer.clone()))
}

/// Hands the lead and the vote over to other servers, if there are any who can take them: before
/// dqlite_server_stop().
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_handover(server: *mut dqlite_server) -> c_int {
    on_server(server, |held| {
        let (node, _) = running(held)?;
        wait(node.handover())
    })
}

/// Stops the server.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_stop(server: *mut dqlite_server) -> c_int {
    on_server(server, |held| {
        let (node, dialer) = running(held)?;
        stop(&node, &dialer)?;
        held.state.lock().running = None;
        Ok(())
    })
}

/// Destroys a server; one that runs is stopped. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_destroy(server: *mut dqlite_server) {
    let _ = guarded(|| {
        drop(SERVERS.remove(server));
        Ok(())
    });
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

/// Why the last call of the server failed: an addition of this library. The text lives as long as
/// the server and changes with its next failure.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_server_errmsg(server: *mut dqlite_server) -> *const c_char {
    let nothing = c"there is no such server: it is NULL, was destroyed, or never created";
    SERVERS.get(server).map_or(nothing.as_ptr(), |held| held.message.as_ptr())
}
