//! Alone in its binary, since it makes SQLite's own fault points fail.
//!
//! Between the sync of the WAL, which hands a commit on, and the publication of the wal-index
//! header, SQLite can run out of memory. The commit is out by then: it must stand here too.

mod support;

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

use dqlite_vfs::ConnectOptions;
use libsqlite3_sys as ffi;
use support::*;

static FAILS: AtomicBool = AtomicBool::new(false);
/// SQLite's number for "a block of the wal-index other than the first cannot be mapped".
const MAP_BLOCK: c_int = 600;

/// Frames in the first block of the wal-index.
const FIRST_BLOCK: u32 = 4062;

extern "C" fn fault(point: c_int) -> c_int {
    c_int::from(point == MAP_BLOCK && FAILS.load(Ordering::SeqCst))
}

#[test]
fn what_was_handed_on_stands() {
    let (leader, follower) = (Node::new(), Node::new());
    let mut connection = leader.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(1300, 3000));
    while leader.database.last_frame() < FIRST_BLOCK - 50 {
        exec(&mut connection, "INSERT INTO t VALUES(NULL, randomblob(3000))");
    }
    assert!(leader.database.last_frame() < FIRST_BLOCK);
    follower.follow(&leader);
    let end = leader.database.position();

    // SAFETY: the callback has the type that this operation of SQLite's asks for.
    unsafe {
        let callback: extern "C" fn(c_int) -> c_int = fault;
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_FAULT_INSTALL, callback);
    }
    FAILS.store(true, Ordering::SeqCst);
    // A fresh connection has not mapped the second block yet. It must not spill.
    let options = ConnectOptions { cache_kib: 100_000, ..ConnectOptions::default() };
    let mut connection = leader.database.connect_with(&options).unwrap();
    let result = run(&mut connection, "UPDATE t SET b = randomblob(3000)");
    FAILS.store(false, Ordering::SeqCst);

    assert_eq!(result.unwrap_err().code, ffi::SQLITE_NOMEM);
    assert!(leader.database.position() > end);
    assert_eq!(follower.follow(&leader), 1);
    assert_eq!(content(&mut connection), content(&mut follower.connect()));
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    follower.follow(&leader);
    assert_same(&leader, &follower);
}
