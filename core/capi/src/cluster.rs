//! The cluster: who is in it, and what they do.

use std::ffi::{CString, c_char, c_int};
use std::future::Future;

use dqlite::{Cluster, DatabaseStatus, Role, blocking};

use crate::arguments::{Place, Sized64, text};
use crate::error::{c_text, dqlite_error};
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Miss, Registry};
use crate::operation::{self, dqlite_operation};
use crate::options::{self, dqlite_option};
use crate::{given, tables};

/// A cluster as a whole. Any thread may use it.
pub struct dqlite_cluster {
    _opaque: [u8; 0],
}

/// A member of a cluster. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_member {
    /// The member's number.
    pub id: u64,
    /// Where it is reached. Ends with a NUL.
    pub address: *const c_char,
    /// What it does: DQLITE_ROLE_*.
    pub role: u64,
}

/// One database of a node. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_database_status {
    /// The name. Ends with a NUL.
    pub name: *const c_char,
    /// The last transaction that was applied to it.
    pub applied_index: u64,
    /// The last transaction that its file holds.
    pub checkpoint_index: u64,
    /// Its size in pages.
    pub page_count: u64,
}

/// Where a node stands, and how little it wants a role.
#[repr(C)]
pub struct dqlite_metadata {
    /// sizeof(dqlite_metadata), set by the caller.
    pub size: u64,
    /// Nodes with the same number may fail together.
    pub failure_domain: u64,
    /// Of two nodes the one with the lower weight is preferred.
    pub weight: u64,
}

impl Sized64 for dqlite_metadata {
    const BYTES_MIN: usize = 24;
}

static CLUSTERS: Registry<Cluster> = Registry::new(Kind::Cluster);

pub(crate) fn issue(cluster: Cluster) -> *mut dqlite_cluster {
    CLUSTERS.insert(cluster)
}

/// Asks the cluster.
fn ask<T, F: Future<Output = Result<T, dqlite::Error>>>(
    cluster: *mut dqlite_cluster,
    operation: *mut dqlite_operation,
    question: impl FnOnce(Cluster) -> F,
) -> Result<T, Failure> {
    let found = CLUSTERS.get(cluster);
    let found = found.map_err(|miss| Failure::handle(miss, "cluster", "handle"))?;
    let operation = operation::find(operation)?;
    Ok(blocking::wait(question((*found).clone()), operation.as_ref())?)
}

/// Has the cluster changed. One that was stopped may have changed it.
///
/// # Safety
/// `error` is NULL or can be written to.
unsafe fn change<F: Future<Output = Result<(), dqlite::Error>>>(
    cluster: *mut dqlite_cluster,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
    change: impl FnOnce(Cluster) -> F,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { answer(error, || ask(cluster, operation, change).map_err(Failure::in_doubt)) }
}

/// The cluster at a URL, "dqlite://host:port,host:port". The options are those of the scope
/// "cluster" in the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_open(
    url: *const c_char,
    options: *const dqlite_option,
    option_count: usize,
    cluster: *mut *mut dqlite_cluster,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(cluster, "cluster")?;
            place.set(std::ptr::null_mut());
            let url = text(url, "url")?;
            let options = options::for_connection(options, option_count)?;
            place.set(issue(Cluster::new(url, options)?));
            Ok(())
        })
    }
}

/// Closes a cluster: nothing happens to the cluster itself. NULL is fine, and so is one that was
/// closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_close(
    cluster: *mut dqlite_cluster,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || match CLUSTERS.remove(cluster) {
            Ok(_) | Err(Miss::Null | Miss::Closed) => Ok(()),
            Err(miss) => Err(Failure::handle(miss, "cluster", "handle")),
        })
    }
}

/// The members, as the leader knows them. Give the list back with dqlite_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_members(
    cluster: *mut dqlite_cluster,
    operation: *mut dqlite_operation,
    members: *mut *const dqlite_member,
    count: *mut usize,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(members, "members")?;
            let count = Place::required(count, "count")?;
            place.set(std::ptr::null());
            count.set(0);
            let found = ask(cluster, operation, |it| async move { it.members().await })?;
            let found = found.iter().map(|it| (it.id, &*it.address, role_number(it.role)));
            let found: Vec<(u64, &str, u64)> = found.collect();
            count.set(found.len());
            place.set(give_members(&found));
            Ok(())
        })
    }
}

/// Who leads: a list of one. It has said so itself, a moment ago. Give it back with
/// dqlite_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_leader(
    cluster: *mut dqlite_cluster,
    operation: *mut dqlite_operation,
    leader: *mut *const dqlite_member,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(leader, "leader")?;
            place.set(std::ptr::null());
            let found = ask(cluster, operation, |it| async move { it.leader().await })?;
            let role = tables::ROLE_VOTER as u64; // Only voters lead.
            place.set(give_members(&[(found.id, &found.address, role)]));
            Ok(())
        })
    }
}

/// Adds a member and gives it a role, DQLITE_ROLE_*. It must be running, and of no cluster yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_add(
    cluster: *mut dqlite_cluster,
    id: u64,
    address: *const c_char,
    role: c_int,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let (address, role) = (text(address, "address")?, role_of(role)?);
            let adding =
                ask(cluster, operation, |it| async move { it.add(id, address, role).await });
            adding.map_err(Failure::in_doubt)
        })
    }
}

/// Gives a member a role, DQLITE_ROLE_*; returns once it has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_assign(
    cluster: *mut dqlite_cluster,
    id: u64,
    role: c_int,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            let role = role_of(role)?;
            let assigning = ask(cluster, operation, |it| async move { it.assign(id, role).await });
            assigning.map_err(Failure::in_doubt)
        })
    }
}

/// Removes a member.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_remove(
    cluster: *mut dqlite_cluster,
    id: u64,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { change(cluster, operation, error, |it| async move { it.remove(id).await }) }
}

/// Hands the lead over to a voter, or with 0 to any. Another may lead in the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_transfer(
    cluster: *mut dqlite_cluster,
    id: u64,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { change(cluster, operation, error, |it| async move { it.transfer(id).await }) }
}

/// The failure domain and the weight of the node at an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_describe(
    cluster: *mut dqlite_cluster,
    address: *const c_char,
    operation: *mut dqlite_operation,
    metadata: *mut dqlite_metadata,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::sized(metadata, "metadata")?;
            let address = text(address, "address")?;
            let found = ask(cluster, operation, |it| async move { it.describe(address).await })?;
            place.fill(dqlite_metadata {
                size: 0,
                failure_domain: found.failure_domain,
                weight: found.weight,
            });
            Ok(())
        })
    }
}

/// Sets the weight of the node at an address, until it stops.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_weight(
    cluster: *mut dqlite_cluster,
    address: *const c_char,
    weight: u64,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let address = text(address, "address")?;
            let setting =
                ask(cluster, operation, |it| async move { it.weight(address, weight).await });
            setting.map_err(Failure::in_doubt)
        })
    }
}

/// The databases, as the leader has them. Give the list back with dqlite_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_databases(
    cluster: *mut dqlite_cluster,
    operation: *mut dqlite_operation,
    databases: *mut *const dqlite_database_status,
    count: *mut usize,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(databases, "databases")?;
            let count = Place::required(count, "count")?;
            place.set(std::ptr::null());
            count.set(0);
            let found = ask(cluster, operation, |it| async move { it.databases().await })?;
            count.set(found.len());
            let (views, texts) = database_views(&found);
            place.set(given::list(views, texts));
            Ok(())
        })
    }
}

/// Writes a database, as the leader has it, as one SQLite file to `path`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cluster_dump(
    cluster: *mut dqlite_cluster,
    database: *const c_char,
    path: *const c_char,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let database = text(database, "database")?;
            let path = crate::arguments::path(path, "path")?;
            ask(cluster, operation, |it| async move { it.dump(database, path).await })
        })
    }
}

fn give_members(members: &[(u64, &str, u64)]) -> *const dqlite_member {
    let texts: Vec<CString> = members.iter().map(|(_, address, _)| c_text(address)).collect();
    let views = members
        .iter()
        .zip(&texts)
        .map(|((id, _, role), address)| dqlite_member {
            id: *id,
            address: address.as_ptr(),
            role: *role,
        })
        .collect();
    given::list(views, texts)
}

/// Databases as C reads them, and the texts that they point to.
pub(crate) fn database_views(
    databases: &[DatabaseStatus],
) -> (Vec<dqlite_database_status>, Vec<CString>) {
    let texts: Vec<CString> = databases.iter().map(|it| c_text(&it.name)).collect();
    let views = databases
        .iter()
        .zip(&texts)
        .map(|(it, name)| dqlite_database_status {
            name: name.as_ptr(),
            applied_index: it.applied_index,
            checkpoint_index: it.checkpoint_index,
            page_count: it.page_count,
        })
        .collect();
    (views, texts)
}

fn role_of(number: c_int) -> Result<Role, Failure> {
    match number {
        tables::ROLE_VOTER => Ok(Role::Voter),
        tables::ROLE_STANDBY => Ok(Role::Standby),
        tables::ROLE_SPARE => Ok(Role::Spare),
        _ => Err(Failure::argument(format!("there is no role {number}"))),
    }
}

fn role_number(role: Role) -> u64 {
    let number = match role {
        Role::Voter => tables::ROLE_VOTER,
        Role::Standby => tables::ROLE_STANDBY,
        Role::Spare => tables::ROLE_SPARE,
    };
    number as u64
}
