//! A node of a cluster in this process. `dqlite_node` is dqlite's own; this one is
//! `dqlite_embedded`.

use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;

use dqlite::{MemberRole, NodeSettings, blocking};

use crate::arguments::{Place, items, path, text};
use crate::cluster::{self, database_views, dqlite_cluster, dqlite_database_status, dqlite_member};
use crate::connection::{self, dqlite_connection};
use crate::error::{c_text, dqlite_error};
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Miss, Registry};
use crate::operation::{self, dqlite_operation};
use crate::options::{self, dqlite_option};
use crate::{given, tables};

/// A node of a cluster in this process. Its connections call straight into the engine while it
/// leads, and go over the network when another does. Any thread may use it.
pub struct dqlite_embedded {
    _opaque: [u8; 0],
}

/// A node's view of itself and of the log. The library makes it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_status {
    /// How many bytes of this struct the library knows.
    pub size: u64,
    /// The node's number.
    pub id: u64,
    /// What it does, DQLITE_ROLE_*; -1 as long as it is in no cluster.
    pub role: i64,
    /// The number of the node that leads; 0 if none is known.
    pub leader_id: u64,
    /// The current term.
    pub term: u64,
    /// The last entry in the node's log.
    pub last_log_index: u64,
    /// The last entry that the node knows to be committed.
    pub commit_index: u64,
    /// The last entry that the node has applied.
    pub applied_index: u64,
    /// The node's databases.
    pub databases: *const dqlite_database_status,
    /// How many there are.
    pub database_count: u64,
}

struct Held {
    node: blocking::Node,
    address: CString,
}

static NODES: Registry<Held> = Registry::new(Kind::Embedded);

fn find(node: *mut dqlite_embedded) -> Result<Arc<Held>, Failure> {
    NODES.get(node).map_err(|miss| Failure::handle(miss, "node", "node.stopped"))
}

/// Starts a node whose files are in the folder `data_dir`, which is made if need be. The options
/// are those of the scope "node" in the reference; "address" must be among them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_start(
    data_dir: *const c_char,
    options: *const dqlite_option,
    option_count: usize,
    node: *mut *mut dqlite_embedded,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(node, "node")?;
            place.set(std::ptr::null_mut());
            let settings = NodeSettings::new(path(data_dir, "data_dir")?, "");
            let settings = options::for_node(settings, options, option_count)?;
            let node = blocking::Node::start(settings)?;
            let address = c_text(node.address());
            place.set(NODES.insert(Held { node, address }));
            Ok(())
        })
    }
}

/// Waits until the node is a member of a cluster with a leader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_ready(
    node: *mut dqlite_embedded,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            let node = find(node)?.node.asynchronous();
            let operation = operation::find(operation)?;
            Ok(blocking::wait(async move { node.ready().await }, operation.as_ref())?)
        })
    }
}

/// Opens a connection to one of the cluster's databases, which the first write makes. The options
/// are those of the scope "connect", but for "database" and what is about TLS, which the node has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_connect(
    node: *mut dqlite_embedded,
    database: *const c_char,
    options: *const dqlite_option,
    option_count: usize,
    connection: *mut *mut dqlite_connection,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(connection, "connection")?;
            place.set(std::ptr::null_mut());
            let database = text(database, "database")?;
            let options = options::for_connection(options, option_count)?;
            options::check_with_node(&options)?;
            place.set(connection::issue(find(node)?.node.connect(database, options)));
            Ok(())
        })
    }
}

/// The cluster of the node. It must be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_cluster(
    node: *mut dqlite_embedded,
    cluster: *mut *mut dqlite_cluster,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(cluster, "cluster")?;
            place.set(std::ptr::null_mut());
            place.set(cluster::issue(find(node)?.node.cluster().asynchronous()));
            Ok(())
        })
    }
}

/// Hands the lead, and the vote, over to others if there are any who can take them: before a
/// planned stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_handover(
    node: *mut dqlite_embedded,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            let node = find(node)?.node.asynchronous();
            let operation = operation::find(operation)?;
            let done = blocking::wait(async move { node.handover().await }, operation.as_ref());
            done.map_err(|error| Failure::from(error).in_doubt())
        })
    }
}

/// Stops the node, ends its connections and closes its handle. NULL is fine, and so is a node that
/// was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_stop(
    node: *mut dqlite_embedded,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || match NODES.remove(node) {
            Ok(held) => Ok(held.node.stop()?),
            Err(Miss::Null | Miss::Closed) => Ok(()),
            Err(miss) => Err(Failure::handle(miss, "node", "node.stopped")),
        })
    }
}

/// How far the node is, as of a moment ago. Give it back with dqlite_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_status(
    node: *mut dqlite_embedded,
    status: *mut *const dqlite_status,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(status, "status")?;
            place.set(std::ptr::null());
            let held = find(node)?;
            let found = held.node.status();
            let (databases, names) = database_views(&held.node.databases());
            let status = dqlite_status {
                size: size_of::<dqlite_status>() as u64,
                id: found.id,
                role: found.role.map_or(-1, |role| i64::from(role_number(role))),
                leader_id: found.leader.map_or(0, |leader| leader.id),
                term: found.term,
                last_log_index: found.last_index,
                commit_index: found.commit_index,
                applied_index: found.applied_index,
                databases: databases.as_ptr(),
                database_count: databases.len() as u64,
            };
            place.set(given::list(vec![status], (databases, names)));
            Ok(())
        })
    }
}

/// The node's number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_id(
    node: *mut dqlite_embedded,
    id: *mut u64,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(id, "id")?;
            place.set(find(node)?.node.id());
            Ok(())
        })
    }
}

/// Where clients and other nodes reach it. The text lives until the node is stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_embedded_address(
    node: *mut dqlite_embedded,
    address: *mut *const c_char,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(address, "address")?;
            place.set(find(node)?.address.as_ptr());
            Ok(())
        })
    }
}

/// Gives the node in `data_dir`, which must not run, a new set of members, for a cluster that has
/// lost its majority for good. Run it on one node, and let the others join it with empty folders.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_recover(
    data_dir: *const c_char,
    members: *const dqlite_member,
    member_count: usize,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let data_dir = path(data_dir, "data_dir")?;
            let mut wanted = Vec::new();
            for member in items(members, member_count, "members")? {
                let address = text(member.address, "the address of a member")?.to_owned();
                let role = member_role(member.role)?;
                wanted.push(dqlite::Member { id: member.id, address, role });
            }
            Ok(blocking::recover(data_dir, &wanted)?)
        })
    }
}

/// The role with this number.
pub(crate) fn member_role(number: u64) -> Result<MemberRole, Failure> {
    match c_int::try_from(number) {
        Ok(tables::ROLE_VOTER) => Ok(MemberRole::Voter),
        Ok(tables::ROLE_STANDBY) => Ok(MemberRole::StandBy),
        Ok(tables::ROLE_SPARE) => Ok(MemberRole::Spare),
        _ => Err(Failure::argument(format!("there is no role {number}"))),
    }
}

fn role_number(role: MemberRole) -> c_int {
    match role {
        MemberRole::Voter => tables::ROLE_VOTER,
        MemberRole::StandBy => tables::ROLE_STANDBY,
        MemberRole::Spare => tables::ROLE_SPARE,
    }
}
