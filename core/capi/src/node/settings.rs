//! What a node is told before it starts.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;
use std::time::Duration;

use super::{NODES, Refusal, dqlite_connect_func, dqlite_node, while_stopped};
use crate::arguments::text;

/// Keeps as many entries as told, whatever their size.
pub const DQLITE_SNAPSHOT_TRAILING_STATIC: c_int = 0;
/// Keeps at most as many entries as told.
pub const DQLITE_SNAPSHOT_TRAILING_DYNAMIC: c_int = 1;

/// Binds the node to an address for clients and other nodes: "host", "host:port" or "[host]:port"
/// with a numeric host and the port 8080 unless given, or "@name", an abstract unix socket that
/// takes connections of this process only. "@" alone has the system find a name, and the port 0 a
/// port: dqlite_node_get_bind_address() tells which.
///
/// The socket is bound at once, and listened on when the node starts. Without this call a node
/// listens on its own address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_node_set_bind_address(
    n: *mut dqlite_node,
    address: *const c_char,
) -> c_int {
    while_stopped(n, |state| {
        // SAFETY: `address` is as the header demands.
        let given = unsafe { text(address, "address") }?;
        let told = super::bind(&state.dialer, given)?;
        state.tell_address(&told);
        state.options.bind = Some(told);
        Ok(())
    })
}

/// Where the node listens: NULL before it was bound or started. The text lives as long as the node.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_get_bind_address(n: *mut dqlite_node) -> *const c_char {
    let Ok(held) = NODES.get(n) else { return ptr::null() };
    let state = held.state.lock();
    state.bind_addresses.last().map_or(ptr::null(), |address| address.as_ptr())
}

/// Has `f` connect to other nodes, called with `arg`; NULL has the system do it.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_connect_func(
    n: *mut dqlite_node,
    f: dqlite_connect_func,
    arg: *mut c_void,
) -> c_int {
    while_stopped(n, |state| {
        state.dialer.choose(f, arg);
        Ok(())
    })
}

const LATENCY_MS_MAX: u32 = 3_600_000;

/// The time that a message takes from node to node, in nanoseconds: up to an hour, at least a
/// millisecond. As dqlite_node_set_network_latency_ms(), which is to be preferred.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_network_latency(
    n: *mut dqlite_node,
    nanoseconds: c_ulonglong,
) -> c_int {
    let milliseconds = c_uint::try_from(nanoseconds / 1_000_000).unwrap_or(c_uint::MAX);
    dqlite_node_set_network_latency_ms(n, milliseconds)
}

/// The time that a message takes from node to node, in milliseconds: 1 to 3,600,000. A leader is
/// heard each 1.5 times of it, and stood against after 15 times without.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_network_latency_ms(
    n: *mut dqlite_node,
    milliseconds: c_uint,
) -> c_int {
    while_stopped(n, |state| {
        if !(1..=LATENCY_MS_MAX).contains(&milliseconds) {
            return Err(Refusal::misuse("a latency is 1 to 3600000 milliseconds"));
        }
        let latency = Duration::from_millis(milliseconds.into());
        state.options.heartbeat = latency + latency / 2;
        state.options.election_min = latency * 15;
        state.options.election_max = latency * 30;
        Ok(())
    })
}

/// Nodes with the same code may fail together. Told to whoever asks, to place voters apart.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_failure_domain(n: *mut dqlite_node, code: c_ulonglong) -> c_int {
    while_stopped(n, |state| {
        state.options.failure_domain = code;
        Ok(())
    })
}

/// As dqlite_node_set_snapshot_params_v2() with DQLITE_SNAPSHOT_TRAILING_STATIC.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_snapshot_params(
    n: *mut dqlite_node,
    snapshot_threshold: c_uint,
    snapshot_trailing: c_uint,
) -> c_int {
    let trailing = DQLITE_SNAPSHOT_TRAILING_STATIC;
    dqlite_node_set_snapshot_params_v2(n, snapshot_threshold, snapshot_trailing, trailing)
}

/// How many entries of the log are applied between two checkpoints of everything, and how many are
/// kept after one for nodes that lag behind: at least 4, and not fewer than the threshold.
///
/// Nothing is copied for a checkpoint here, and no snapshot file weighed against the log, so that
/// both strategies keep `snapshot_trailing` entries.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_snapshot_params_v2(
    n: *mut dqlite_node,
    snapshot_threshold: c_uint,
    snapshot_trailing: c_uint,
    trailing_strategy: c_int,
) -> c_int {
    while_stopped(n, |state| {
        if !matches!(
            trailing_strategy,
            DQLITE_SNAPSHOT_TRAILING_STATIC | DQLITE_SNAPSHOT_TRAILING_DYNAMIC
        ) {
            return Err(Refusal::misuse(format!("there is no strategy {trailing_strategy}")));
        }
        if snapshot_threshold == 0 {
            return Err(Refusal::misuse("a threshold of 0 entries is too few"));
        }
        if snapshot_trailing < 4 || snapshot_trailing < snapshot_threshold {
            let reason = "at least 4 entries are kept, and not fewer than the threshold";
            return Err(Refusal::misuse(reason));
        }
        state.options.snapshot_entries = snapshot_threshold.into();
        state.options.log_entries_kept = snapshot_trailing.into();
        Ok(())
    })
}

/// The size of the blocks in which dqlite writes its log: a power of two from 512 to 262144. Here
/// the log finds out what the device wants; a size that dqlite would take is accepted.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_block_size(n: *mut dqlite_node, size: usize) -> c_int {
    while_stopped(n, |_| {
        if !size.is_power_of_two() || !(512..=256 << 10).contains(&size) {
            return Err(Refusal::error("a block has 512 bytes to 256 KiB, a power of two"));
        }
        tracing::info!(size, "the log chooses the size of its blocks itself");
        Ok(())
    })
}

/// How many voters the cluster wants: 3 unless told.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_target_voters(n: *mut dqlite_node, voters: c_int) -> c_int {
    while_stopped(n, |state| {
        let wanted = usize::try_from(voters).ok().filter(|&voters| voters > 0);
        state.options.voters =
            wanted.ok_or_else(|| Refusal::misuse("a cluster needs at least one voter"))?;
        Ok(())
    })
}

/// How many stand-bys the cluster wants: 0 unless told.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_target_standbys(n: *mut dqlite_node, standbys: c_int) -> c_int {
    while_stopped(n, |state| {
        let wanted = usize::try_from(standbys);
        state.options.standbys =
            wanted.map_err(|_| Refusal::misuse("there are no fewer stand-bys than none"))?;
        Ok(())
    })
}

/// How long a voter may be out of reach before its vote goes to another.
const ROLES_PATIENCE: Duration = Duration::from_secs(10);

/// Has the leader see to roles by itself: a voter that is out of reach, or missing, is replaced.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_enable_role_management(n: *mut dqlite_node) -> c_int {
    while_stopped(n, |state| {
        state.options.roles_patience = Some(ROLES_PATIENCE);
        Ok(())
    })
}

/// How many threads dqlite runs SQLite on. Here there are as many as there are calls that run at
/// once, so that any number but 0 is accepted.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_pool_thread_count(
    n: *mut dqlite_node,
    thread_count: c_uint,
) -> c_int {
    while_stopped(n, |_| {
        if thread_count == 0 {
            return Err(Refusal::misuse("without threads nothing runs"));
        }
        tracing::info!(thread_count, "threads come as they are needed");
        Ok(())
    })
}

/// Whether a start may delete files that it finds damaged. Here a start never deletes what was
/// acknowledged; the end of the log that a crash has torn is cut in any case. Both are accepted:
/// with `true`, files that are damaged otherwise still keep the node from starting.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_auto_recovery(n: *mut dqlite_node, enabled: bool) -> c_int {
    while_stopped(n, |_| {
        if enabled {
            tracing::info!("damaged files are never deleted, auto-recovery or not");
        }
        Ok(())
    })
}

/// Whether dqlite compresses its snapshot files. There are none here: `false` is accepted, `true`
/// fails.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_snapshot_compression(
    n: *mut dqlite_node,
    enabled: bool,
) -> c_int {
    while_stopped(n, |_| {
        if enabled {
            return Err(Refusal::error("there are no snapshot files that could be compressed"));
        }
        Ok(())
    })
}

/// Has the node keep databases on disk. They always are here.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_enable_disk_mode(n: *mut dqlite_node) -> c_int {
    while_stopped(n, |_| Ok(()))
}

/// How long a write waits for the one before it, in milliseconds, before it fails with SQLITE_BUSY;
/// with 0 it fails at once. 5000 unless told, where dqlite has 0.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_node_set_busy_timeout(n: *mut dqlite_node, msecs: c_uint) -> c_int {
    while_stopped(n, |state| {
        state.options.engine.busy_timeout = Duration::from_millis(msecs.into());
        Ok(())
    })
}
