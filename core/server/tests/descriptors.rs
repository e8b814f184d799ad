//! Connections that come and go leave nothing behind. Alone in its process, to be able to count.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(target_os = "linux")]

mod raw;

use std::time::Duration;

use raw::{Body, Server, ask, exec_sql, frame};

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until no more descriptors are open than before.
async fn settle(before: usize) {
    let settled = async {
        while open_descriptors() > before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(raw::DEADLINE, settled).await;
    assert!(waited.is_ok(), "{} descriptors before, {} now", before, open_descriptors());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_leave_nothing_behind() {
    let server = Server::single().await;
    let mut witness = server.session().await;
    witness.run("CREATE TABLE t (n)").await;
    let before = open_descriptors();
    for round in 0..1000 {
        let mut wire = server.dial().await;
        if round % 5 > 0 {
            wire.send(&raw::HELLO).await;
        }
        if round % 5 > 1 {
            let open = Body::new().text("test").u64(0).text("");
            wire.send(&frame(ask::OPEN, 0, &open)).await;
        }
        if round % 5 > 2 {
            wire.send(&exec_sql("BEGIN; INSERT INTO t VALUES (1)", &[])).await;
        }
        if round % 5 > 3 {
            wire.next().await;
        }
        drop(wire);
    }
    settle(before).await;
    // All their connections to SQLite are gone too: the write lock is free, and a snapshot that
    // somebody still read would keep the WAL.
    witness.run("INSERT INTO t VALUES (2)").await;
    assert_eq!(witness.number("SELECT sum(n) FROM t").await, 2);
    witness.run("DROP TABLE t; VACUUM").await;
    let before_stop = open_descriptors();
    server.node.stop().await;
    assert!(open_descriptors() < before_stop);
}
