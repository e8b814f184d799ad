//! Nodes whose cluster has lost its majority.

use std::ffi::{c_char, c_int};

use dqlite::Member;

use super::{Refusal, dqlite_node, dqlite_node_id, wait, while_stopped};
use crate::arguments::{Place, items, text};
use crate::embedded::member_role;

/// A member of a cluster.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_node_info {
    /// Its id.
    pub id: dqlite_node_id,
    /// Its address.
    pub address: *const c_char,
}

/// A member of a cluster, with its role.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_node_info_ext {
    /// sizeof(dqlite_node_info_ext).
    pub size: u64,
    /// Its id.
    pub id: u64,
    /// Its address: a pointer to the text.
    pub address: u64,
    /// DQLITE_ROLE_*.
    pub dqlite_role: u64,
}

/// The size of the first version of dqlite_node_info_ext, in bytes.
pub const DQLITE_NODE_INFO_EXT_SZ_ORIG: u32 = 32;

const _: () = assert!(size_of::<dqlite_node_info_ext>() == DQLITE_NODE_INFO_EXT_SZ_ORIG as usize);

/// # Safety
/// `address` is NULL or ends with a NUL.
unsafe fn member(id: u64, address: *const c_char, role: u64) -> Result<Member, Refusal> {
    // SAFETY: the caller's promise.
    let address = unsafe { text(address, "the address of a member") }?.to_owned();
    if id == 0 || address.is_empty() {
        return Err(Refusal::misuse("a member has an id, which is not 0, and an address"));
    }
    Ok(Member { id, address, role: member_role(role)? })
}

fn recover(n: *mut dqlite_node, members: impl FnOnce() -> Result<Vec<Member>, Refusal>) -> c_int {
    while_stopped(n, |state| {
        let (env, data_dir, members) = (state.env(), &state.options.data_dir, members()?);
        wait(dqlite_server::recover(&env, data_dir, &members))
    })
}

fn count(count: c_int) -> Result<usize, Refusal> {
    usize::try_from(count).map_err(|_| Refusal::misuse("there are no fewer members than none"))
}

/// As dqlite_node_recover_ext(), with voters only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_node_recover(
    n: *mut dqlite_node,
    infos: *mut dqlite_node_info,
    n_info: c_int,
) -> c_int {
    recover(n, || {
        // SAFETY: `infos` is as the header demands.
        let infos = unsafe { items(infos, count(n_info)?, "infos") }?;
        let voter = crate::tables::ROLE_VOTER as u64;
        // SAFETY: so are the addresses in it.
        infos.iter().map(|it| unsafe { member(it.id, it.address, voter) }).collect()
    })
}

/// Makes the nodes in `infos` the cluster of this node, when its majority is gone for good. No node
/// may run. Of those that are left, choose the one with the newest log
/// (dqlite_node_describe_last_entry()), call this on it once, with itself among the nodes, copy its
/// folder to the others in place of theirs, and start them all.
///
/// `n` need not have the id and the address of the node whose folder it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_node_recover_ext(
    n: *mut dqlite_node,
    infos: *mut dqlite_node_info_ext,
    n_info: c_int,
) -> c_int {
    recover(n, || {
        // SAFETY: `infos` is as the header demands.
        let infos = unsafe { items(infos, count(n_info)?, "infos") }?;
        let mut members = Vec::new();
        for info in infos {
            // SAFETY: so is what it says of itself.
            unsafe { check(info) }?;
            let address = std::ptr::with_exposed_provenance(info.address as usize);
            // SAFETY: and so are the addresses in it.
            members.push(unsafe { member(info.id, address, info.dqlite_role) }?);
        }
        Ok(members)
    })
}

/// Whether a member says nothing that this library does not know.
///
/// # Safety
/// As many bytes can be read as the member has, by what it says.
unsafe fn check(info: &dqlite_node_info_ext) -> Result<(), Refusal> {
    let known = size_of::<dqlite_node_info_ext>();
    let size = info.size as usize;
    if size < known || !size.is_multiple_of(8) {
        return Err(Refusal::misuse(format!("a member of {size} bytes: set size to its sizeof")));
    }
    let words = std::ptr::from_ref(info).cast::<u64>();
    // SAFETY: the caller's promise.
    if (known / 8..size / 8).any(|at| unsafe { words.add(at).read() } != 0) {
        return Err(Refusal::misuse("a member says more than this library knows"));
    }
    Ok(())
}

/// The index and the term of the last entry in the node's log. Of two logs the one with the higher
/// term is newer, else the longer one. The node must not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_node_describe_last_entry(
    n: *mut dqlite_node,
    last_entry_index: *mut u64,
    last_entry_term: *mut u64,
) -> c_int {
    while_stopped(n, |state| {
        // SAFETY: the places are as the header demands.
        let (index_place, term_place) = unsafe {
            (
                Place::required(last_entry_index, "last_entry_index")?,
                Place::required(last_entry_term, "last_entry_term")?,
            )
        };
        let (env, data_dir) = (state.env(), &state.options.data_dir);
        let (term, index) = wait(dqlite_server::describe_last_entry(&env, data_dir))?;
        index_place.set(index);
        term_place.set(term);
        Ok(())
    })
}
