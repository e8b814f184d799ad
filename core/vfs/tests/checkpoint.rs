//! What reaches the file, what restarts the WAL, and what memory comes back.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dqlite_env::{FileSystem, OpenMode, RealFiles};
use dqlite_vfs::{PAGE_BYTES, WalPosition};
use support::*;

const COUNT: &str = "SELECT count(*), coalesce(sum(length(b)), 0) FROM t";

fn filled() -> Node {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(200, 500));
    node
}

#[test]
fn speculative_frames_never_reach_the_file() {
    let (node, other) = (filled(), Node::new());
    other.follow(&node);
    let committed = node.database.position();
    let mut connection = node.connect();
    exec(&mut connection, "UPDATE t SET b = randomblob(600); CREATE TABLE later(x)");

    let done = node.database.checkpoint(committed).unwrap();
    assert_eq!(done.backfilled_frame, committed.frame);
    assert!(!done.complete);
    other.checkpoint_all();
    assert!(node.bytes() == other.bytes(), "the file is that of the committed frames");
    let again = node.database.checkpoint(committed).unwrap();
    assert_eq!(again, done);
    assert_eq!(node.database.backfilled_frame(), committed.frame);

    other.follow(&node);
    assert_same(&node, &other);
}

#[test]
fn a_checkpoint_ends_at_a_commit() {
    let node = filled();
    let end = node.database.position();
    exec(&mut node.connect(), "UPDATE t SET b = randomblob(600)");
    assert!(node.database.last_frame() > end.frame + 2);
    let inside = at(0, node.database.last_frame() - 1);
    assert_eq!(node.database.checkpoint(inside).unwrap().backfilled_frame, end.frame);
}

#[test]
fn a_position_of_an_older_generation_copies_nothing() {
    let node = filled();
    let old = node.database.position();
    node.checkpoint_all();
    let mut connection = node.connect();
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    assert_eq!(node.database.generation(), 1);
    let file = node.bytes();
    let done = node.database.checkpoint(old).unwrap();
    assert_eq!((done.generation, done.backfilled_frame, done.complete), (1, 0, false));
    assert!(node.bytes() == file);
}

#[test]
fn a_reader_keeps_its_snapshot() {
    let (node, other) = (filled(), Node::new());
    other.follow(&node);
    let mut reader = node.connect();
    hold_snapshot(&mut reader);
    let before = rows(&mut reader, "SELECT * FROM t");
    let snapshot = node.database.position();

    let mut connection = node.connect();
    exec(&mut connection, "UPDATE t SET b = randomblob(700)");
    exec(&mut connection, "DELETE FROM t WHERE a % 3 = 0");
    let done = node.database.checkpoint(node.database.position()).unwrap();
    assert_eq!(done.backfilled_frame, snapshot.frame, "frames after the snapshot stay out");
    assert_eq!(rows(&mut reader, "SELECT * FROM t"), before);
    other.checkpoint_all();
    assert!(node.bytes() == other.bytes());

    // New readers see the new state meanwhile; the old one goes on seeing its own.
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    assert_ne!(rows(&mut node.connect(), COUNT), rows(&mut reader, COUNT));
    assert_eq!(rows(&mut reader, "SELECT * FROM t"), before);
    exec(&mut reader, "COMMIT");
    other.follow(&node);
    assert_same(&node, &other);
}

#[test]
fn a_reader_of_the_file_alone_blocks_a_checkpoint() {
    let node = filled();
    node.checkpoint_all();
    let mut reader = node.connect();
    hold_snapshot(&mut reader);
    let before = rows(&mut reader, "SELECT * FROM t");
    exec(&mut node.connect(), "UPDATE t SET b = randomblob(700)");
    let file = node.bytes();
    let done = node.database.checkpoint(node.database.position()).unwrap();
    assert_eq!((done.backfilled_frame, done.complete), (0, false));
    assert!(node.bytes() == file);
    assert_eq!(rows(&mut reader, "SELECT * FROM t"), before);
    exec(&mut reader, "COMMIT");
    node.checkpoint_all();
}

#[test]
fn a_failed_checkpoint_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = RealFiles.open(&dir.path().join("db"), OpenMode::New).unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let node = Node::on(Arc::new(Failing { file, fails: fails.clone() }), dir);
    let other = Node::new();
    exec(&mut node.connect(), &format!("{TABLE}; {}", fill(200, 500)));
    other.follow(&node);
    fails.store(true, Ordering::SeqCst);
    assert!(node.database.checkpoint(node.database.position()).is_err());
    assert_eq!(node.database.backfilled_frame(), 0, "not durable, so not said");
    fails.store(false, Ordering::SeqCst);
    let mut connection = node.connect();
    exec(&mut connection, "UPDATE t SET b = randomblob(600)");
    other.follow(&node);
    assert_same(&node, &other);

    let mut reader = node.connect_small();
    fails.store(true, Ordering::SeqCst);
    let error = run(&mut reader, "SELECT * FROM t").unwrap_err();
    assert_eq!(error.code, libsqlite3_sys::SQLITE_IOERR_READ);
}

/// SQLite writes all pages that it adds; the rule is for any transaction that can be applied.
#[test]
fn a_page_that_was_cut_off_and_not_written_again_is_zeros() {
    let (often, once) = (Node::new(), Node::new());
    let page = |fill: u8| bytes::Bytes::from(vec![fill; PAGE_BYTES]);
    let step = |pages: &[(u32, bytes::Bytes)], page_count| {
        once.database.apply(pages, page_count).unwrap();
        often.database.apply(pages, page_count).unwrap();
        often.checkpoint_all();
    };
    step(&[(1, page(1)), (2, page(2)), (3, page(3)), (4, page(4))], 4);
    once.checkpoint_all();
    step(&[(2, page(5)), (5, page(6)), (6, page(6))], 6);
    step(&[(1, page(7))], 2);
    step(&[(1, page(8)), (7, page(9))], 8);
    once.checkpoint_all();
    let fills: Vec<u8> = once.bytes().chunks(PAGE_BYTES).map(|page| page[0]).collect();
    assert_eq!(fills, [8, 5, 0, 0, 0, 0, 9, 0]);
    assert!(often.bytes() == once.bytes());
}

#[test]
fn the_file_does_not_depend_on_when_checkpoints_were() {
    let (often, once) = (Node::new(), Node::new());
    let mut connection = often.connect();
    exec(&mut connection, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
    exec(&mut connection, TABLE);
    for round in 0..5 {
        for sql in [
            fill(400, 900),
            "DELETE FROM t".to_owned(),
            "PRAGMA incremental_vacuum".to_owned(),
            format!("INSERT INTO t VALUES({round}, zeroblob(300000))"),
            "BEGIN; INSERT INTO t VALUES(99, zeroblob(900000)); DELETE FROM t; COMMIT".to_owned(),
            "VACUUM".to_owned(),
        ] {
            exec(&mut connection, &sql);
            once.follow(&often);
            often.checkpoint_all();
        }
    }
    assert_same(&often, &once);
}

#[test]
fn sqlite_restarts_a_complete_wal() {
    let (leader, follower) = (filled(), Node::new());
    follower.follow(&leader);
    let mut connection = leader.connect_small();
    leader.checkpoint_all();
    let end = leader.database.position();
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    assert!(leader.database.generation() == end.generation + 1);
    assert!(leader.database.last_frame() < 10);
    let transactions = leader.queue.transactions.lock().unwrap().clone();
    assert_eq!(transactions[0].position(), leader.database.position());
    assert!(leader.database.position() > end);

    // A first transaction of a generation that spills, and one that is rolled back.
    leader.checkpoint_all();
    exec(
        &mut connection,
        &format!("BEGIN; {}; ROLLBACK", fill(5000, 100).replace("100 +", "9000 +")),
    );
    assert_eq!(leader.database.position(), at(end.generation + 2, 0));
    exec(
        &mut connection,
        &format!("BEGIN; {}; COMMIT", fill(5000, 100).replace("100 +", "9000 +")),
    );
    assert_eq!(leader.database.generation(), end.generation + 2);
    assert_eq!(follower.follow(&leader), 2);
    assert_same(&leader, &follower);
}

#[test]
fn apply_restarts_a_complete_wal() {
    let (leader, follower) = (filled(), Node::new());
    follower.follow(&leader);
    let mut connection = leader.connect();
    let mut ends = Vec::new();
    for round in 0..20 {
        exec(&mut connection, &format!("INSERT INTO t VALUES({round}, x'01')"));
        follower.follow(&leader);
        follower.checkpoint_all();
        ends.push(follower.database.position());
    }
    assert!(ends.is_sorted());
    assert_eq!(follower.database.generation(), 19, "all rounds but the first");
    assert!(follower.database.last_frame() < 10);

    // Not while a reader needs it.
    let mut reader = follower.connect();
    exec(&mut connection, "INSERT INTO t VALUES(50, x'01')");
    follower.follow(&leader);
    hold_snapshot(&mut reader);
    follower.checkpoint_all();
    let before = rows(&mut reader, COUNT);
    let generation = follower.database.generation();
    exec(&mut connection, "INSERT INTO t VALUES(51, x'01')");
    follower.follow(&leader);
    assert_eq!(follower.database.generation(), generation);
    assert_eq!(rows(&mut reader, COUNT), before);
    drop(reader);
    follower.checkpoint_all();
    exec(&mut connection, "INSERT INTO t VALUES(52, x'01')");
    follower.follow(&leader);
    assert_eq!(follower.database.generation(), generation + 1);
    assert_same(&leader, &follower);
}

#[test]
fn the_owner_restarts_a_complete_wal() {
    let node = filled();
    assert!(!node.database.restart(), "nothing is in the file");
    node.checkpoint_all();
    let mut writer = node.connect();
    exec(&mut writer, "BEGIN IMMEDIATE");
    assert!(!node.database.restart(), "somebody writes");
    exec(&mut writer, "ROLLBACK");
    let page_count = node.database.page_count();
    assert!(node.database.restart());
    assert_eq!(node.database.position(), at(1, 0));
    assert_eq!(node.database.page_count(), page_count);
    assert!(!node.database.restart(), "it is empty");
    assert_eq!(rows(&mut writer, COUNT), "200|100000|\n");
    exec(&mut writer, "INSERT INTO t VALUES(1, x'01')");
    assert_eq!(rows(&mut node.connect(), COUNT), "201|100001|\n");
    assert_eq!(node.database.generation(), 1);
}

#[test]
fn memory_comes_back_while_the_wal_cannot_be_restarted() {
    let node = filled();
    let mut connection = node.connect();
    let mut reader = node.connect();
    hold_snapshot(&mut reader);
    let before = rows(&mut reader, "SELECT * FROM t");
    for round in 0..10 {
        exec(&mut connection, &format!("UPDATE t SET b = randomblob(500 + {round})"));
    }
    let full = node.database.wal_bytes();

    // The old reader needs its frames: none of them is given back, and it reads right.
    node.database.checkpoint(node.database.position()).unwrap();
    assert_eq!(node.database.wal_bytes(), full);
    assert_eq!(rows(&mut reader, "SELECT * FROM t"), before);

    // A younger one, that looks only at frames after what was in the file when it began.
    let mut young = node.connect();
    hold_snapshot(&mut young);
    let now = rows(&mut young, "SELECT * FROM t");
    exec(&mut reader, "COMMIT");
    let less = node.database.wal_bytes();
    assert!(less < full, "the old reader's frames");
    exec(&mut connection, "UPDATE t SET b = randomblob(510)");
    node.database.checkpoint(node.database.position()).unwrap();
    assert_eq!(rows(&mut young, "SELECT * FROM t"), now);

    // One that overlaps it, so that the WAL is never free.
    let mut next = node.connect();
    hold_snapshot(&mut next);
    let latest = rows(&mut next, "SELECT * FROM t");
    exec(&mut young, "COMMIT");
    let generation = node.database.generation();
    node.database.checkpoint(node.database.position()).unwrap();
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    assert_eq!(node.database.generation(), generation, "not restarted");
    let least = node.database.wal_bytes();
    assert!(least + 8 * PAGE_BYTES < less, "{full} {less} {least}");
    assert_eq!(rows(&mut next, "SELECT * FROM t"), latest);
    exec(&mut next, "COMMIT");
    assert_eq!(rows(&mut next, COUNT), rows(&mut connection, COUNT));

    // SQLite goes on from frames whose images are gone, a spilled transaction too.
    let mut small = node.connect_small();
    exec(
        &mut small,
        &format!(
            "BEGIN; {}; UPDATE t SET b = zeroblob(9); COMMIT",
            fill(3000, 100).replace("100 +", "9000 +")
        ),
    );
    let other = Node::new();
    other.follow(&node);
    assert_same(&node, &other);
}

#[test]
fn many_blocks_of_the_index() {
    let (leader, follower) = (Node::new(), Node::new());
    let mut connection = leader.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(3000, 1000));
    let mut reader = leader.connect();
    hold_snapshot(&mut reader);
    let before = rows(&mut reader, COUNT);
    let snapshot = leader.database.position();
    for round in 0..8 {
        exec(&mut connection, &format!("UPDATE t SET b = randomblob(1000 + {round})"));
    }
    assert!(leader.database.last_frame() > 3 * 4096);
    assert_eq!(rows(&mut reader, COUNT), before);
    follower.follow(&leader);
    assert_eq!(content(&mut leader.connect()), content(&mut follower.connect()));
    drop(reader);
    drop(connection);

    leader.database.undo_to(snapshot).unwrap();
    assert_eq!(rows(&mut leader.connect(), COUNT), before);
    exec(&mut leader.connect(), "UPDATE t SET b = x'02'");
    assert_eq!(rows(&mut leader.connect(), COUNT), "3000|3000|\n");
    assert_eq!(leader.database.checkpoint(WalPosition::default()).unwrap().backfilled_frame, 0);
    leader.checkpoint_all();
    content(&mut leader.connect());
}
