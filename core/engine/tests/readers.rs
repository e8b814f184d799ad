//! Sessions that only read, on any node.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;
use std::time::Duration;

use dqlite_engine::{Call, Error, Machine, Session};
use replicas::calls::{call, fetch, one};
use replicas::{Replica, Tape, rows_of};

struct Nodes {
    leader: Replica,
    follower: Replica,
    tape: Arc<Tape>,
    session: Session,
    dirs: [tempfile::TempDir; 2],
}

/// A leader and a follower, with a table that both have.
async fn nodes() -> Nodes {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let tape = Arc::new(Tape::default());
    let mut leader = Replica::open(dirs[0].path(), &tape);
    let mut follower = Replica::open(dirs[1].path(), &tape);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.call(&mut session, one("CREATE TABLE t (a, b)")).await.unwrap();
    follower.apply_all().await;
    Nodes { leader, follower, tape, session, dirs }
}

async fn count(session: &mut Session) -> Result<String, Error> {
    Ok(call(session, one("SELECT count(*) FROM t"), 1).await?.sink.rows.remove(0))
}

#[tokio::test]
async fn a_reader_reads_what_is_applied_and_writes_nothing() {
    let mut nodes = nodes().await;
    let mut reader = nodes.follower.engine.open_reader("app").await.unwrap();
    assert!(reader.only_reads());
    assert_eq!(count(&mut reader).await.unwrap(), "0");
    let before = nodes.tape.last_index();
    for node in [&nodes.follower, &nodes.leader] {
        let mut reader = node.engine.open_reader("app").await.unwrap();
        for sql in [
            "INSERT INTO t VALUES (1, 1)",
            "WITH n AS (SELECT 1) DELETE FROM t",
            "CREATE TABLE u (x)",
            "BEGIN IMMEDIATE",
            "PRAGMA user_version = 1",
            "CREATE TEMP TABLE u (x)",
            "VACUUM",
        ] {
            let refused = call(&mut reader, one(sql), 1).await.unwrap_err();
            assert_eq!(refused.code(), 10250, "{sql}: {refused}");
            assert!(!reader.was_in_transaction());
        }
        // Not even by a function that writes, in a statement that does not look like it.
        let refused = call(&mut reader, one("PRAGMA query_only = OFF"), 1).await.unwrap_err();
        assert_eq!(refused.code(), 23);
        for sql in ["EXPLAIN INSERT INTO t VALUES (1, 1)", "BEGIN", "SELECT * FROM t", "COMMIT"] {
            call(&mut reader, one(sql), usize::MAX).await.unwrap();
        }
    }
    assert_eq!(nodes.tape.last_index(), before);
    nodes.leader.call(&mut nodes.session, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    nodes.follower.apply_all().await;
    assert_eq!(count(&mut reader).await.unwrap(), "1");
    assert_eq!(rows_of(&nodes.follower.image().await), rows_of(&nodes.leader.image().await));
    drop(nodes.dirs);
}

#[tokio::test]
async fn a_reader_waits_for_the_index_that_it_is_to_see() {
    let mut nodes = nodes().await;
    let mut reader = nodes.follower.engine.open_reader("app").await.unwrap();
    let insert = one("INSERT INTO t VALUES (1, 1)");
    let index = nodes.leader.call(&mut nodes.session, insert).await.unwrap().index;
    let at_least = Call { at_least: index, ..one("SELECT count(*) FROM t") };
    let early = call(&mut reader, at_least.clone(), 1);
    assert!(tokio::time::timeout(Duration::from_millis(30), early).await.is_err());
    let operation = reader.begin_operation(Some(Duration::from_millis(20)));
    let cells = replicas::calls::Cells::up_to(1);
    let late = reader.call(&operation, at_least.clone(), cells, dqlite_env::Blocking::Pool).await;
    assert!(matches!(late, Err(Error::TimedOut { .. })));
    drop(operation);
    let read = call(&mut reader, at_least, 1);
    let (ran, ()) = tokio::join!(read, nodes.follower.apply_to(index));
    let ran = ran.unwrap();
    assert_eq!(ran.sink.rows, ["1"]);
    assert!(ran.index >= index);
}

#[tokio::test]
async fn a_reader_on_the_leader_shows_nothing_before_it_is_committed() {
    let mut nodes = nodes().await;
    let mut reader = nodes.leader.engine.open_reader("app").await.unwrap();
    let before = nodes.tape.last_index();
    {
        let write = call(&mut nodes.session, one("INSERT INTO t VALUES (1, 1)"), 1);
        let mut write = std::pin::pin!(write);
        tokio::select! {
            _ = &mut write => panic!("nothing was applied"),
            () = nodes.tape.wait_for(before + 1) => {}
        }
        let read = tokio::time::timeout(Duration::from_millis(30), count(&mut reader)).await;
        assert!(read.is_err(), "it waits");
        nodes.leader.apply_all().await;
        write.await.unwrap();
    }
    assert_eq!(count(&mut reader).await.unwrap(), "1");
}

#[tokio::test]
async fn a_reader_from_before_the_lead_shows_nothing_before_it_is_committed() {
    let mut nodes = nodes().await;
    let mut reader = nodes.follower.engine.open_reader("app").await.unwrap();
    assert_eq!(count(&mut reader).await.unwrap(), "0");
    nodes.leader.engine.follow().await;
    nodes.follower.lead(2).await;
    let mut session = nodes.follower.engine.open_session("app").await.unwrap();
    let before = nodes.tape.last_index();
    let write = call(&mut session, one("INSERT INTO t VALUES (1, 1)"), 1);
    {
        let mut write = std::pin::pin!(write);
        tokio::select! {
            _ = &mut write => panic!("nothing was applied"),
            () = nodes.tape.wait_for(before + 1) => {}
        }
        let read = tokio::time::timeout(Duration::from_millis(30), count(&mut reader)).await;
        assert!(read.is_err(), "it waits");
        // The lead is lost, and the write with it.
        let read = count(&mut reader);
        let mut read = std::pin::pin!(read);
        tokio::select! {
            biased;
            _ = &mut read => panic!("nothing was applied"),
            () = tokio::task::yield_now() => {}
        }
        nodes.tape.truncate(before + 1);
        nodes.tape.push_blank(3);
        nodes.follower.engine.follow().await;
        nodes.follower.apply_all().await;
        let (read, write) = tokio::join!(read, write);
        assert!(read.is_err() && write.is_err(), "what was lost is never told of");
    }
    assert!(reader.is_over(), "the undo takes all connections");
    let mut reader = nodes.follower.engine.open_reader("app").await.unwrap();
    assert_eq!(count(&mut reader).await.unwrap(), "0");
}

#[tokio::test]
async fn a_result_on_a_follower_hides_nothing_that_is_applied_later() {
    let mut nodes = nodes().await;
    for _ in 0..3 {
        nodes.leader.call(&mut nodes.session, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    }
    nodes.follower.apply_all().await;
    let mut reader = nodes.follower.engine.open_reader("app").await.unwrap();
    let open = call(&mut reader, one("SELECT a FROM t"), 1).await.unwrap().cursor.unwrap();
    nodes.leader.call(&mut nodes.session, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    nodes.follower.apply_all().await;
    assert_eq!(count(&mut reader).await.unwrap(), "4");
    assert_eq!(fetch(&mut reader, open, 9).await.unwrap().0.len(), 2);
}

#[tokio::test]
async fn a_barrier_is_at_or_above_all_that_was_acknowledged() {
    let mut nodes = nodes().await;
    for number in 0..5 {
        let sql = format!("INSERT INTO t VALUES ({number}, 1)");
        let index = nodes.leader.call(&mut nodes.session, one(&sql)).await.unwrap().index;
        assert!(nodes.leader.engine.barrier().await.unwrap() >= index);
    }
    assert!(matches!(nodes.follower.engine.barrier().await, Err(Error::NotLeader)));
    nodes.tape.depose();
    assert!(matches!(nodes.leader.engine.barrier().await, Err(Error::NotLeader)));
}
