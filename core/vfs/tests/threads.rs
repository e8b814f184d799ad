//! Readers, a writer, apply and checkpoints at the same time.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use support::*;

const ROWS: i64 = 64;

/// Every transaction adds one to all rows, so a snapshot in which they differ is torn.
fn read_until(node: &Node, done: &AtomicBool) -> u64 {
    let mut connection = node.connect_small();
    let mut reads = 0;
    let mut last = 0;
    while !done.load(Ordering::Relaxed) {
        exec(&mut connection, "BEGIN");
        let sql = "SELECT count(*), min(n), max(n) FROM t";
        let first = rows(&mut connection, sql);
        let fields: Vec<i64> =
            first.trim_end().split('|').filter_map(|field| field.parse().ok()).collect();
        assert_eq!(fields[0], ROWS);
        assert_eq!(fields[1], fields[2], "a torn snapshot");
        assert!(fields[1] >= last, "time went back");
        last = fields[1];
        assert_eq!(rows(&mut connection, sql), first, "a snapshot changed");
        exec(&mut connection, "COMMIT");
        reads += 1;
    }
    reads
}

/// Ends the others when its thread ends, in a panic too.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn readers_see_whole_transactions() {
    let (leader, follower) = (Node::new(), Node::new());
    let mut writer = leader.connect_small();
    exec(
        &mut writer,
        &format!(
            "CREATE TABLE t(n INTEGER, filler BLOB);
             WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {ROWS})
             INSERT INTO t SELECT 0, randomblob(2000) FROM s"
        ),
    );
    follower.follow(&leader);
    let done = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    thread::scope(|scope| {
        for node in [&leader, &leader, &follower, &follower, &follower] {
            let (done, reads) = (&done, &reads);
            scope.spawn(move || reads.fetch_add(read_until(node, done), Ordering::Relaxed));
        }
        for node in [&leader, &follower] {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    node.database.checkpoint(node.database.position()).unwrap();
                    node.database.restart();
                    thread::yield_now();
                }
            });
        }
        let (leader, follower, done) = (&leader, &follower, Done(&done));
        scope.spawn(move || {
            let _done = done;
            for _ in 0..400 {
                // A restart by another thread came after the writer's look at the header. SQLite
                // calls that busy, and a stale snapshot only where one was read from.
                while let Err(error) = run(&mut writer, "UPDATE t SET n = n + 1") {
                    assert_eq!(error.primary_code(), libsqlite3_sys::SQLITE_BUSY, "{error}");
                }
                follower.follow(leader);
            }
        });
    });
    assert!(reads.into_inner() > 0);
    assert!(leader.database.generation() + follower.database.generation() > 0);
    assert_same(&leader, &follower);
}
