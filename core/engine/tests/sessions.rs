//! Sessions: turns to write, what may be run, what an interrupt stops.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;
use std::time::Duration;

use dqlite_engine::{Error, Source, Tail};
use replicas::{Lines, Replica, Tape, query};

async fn leader() -> (tempfile::TempDir, Replica) {
    let dir = tempfile::tempdir().unwrap();
    let tape = Arc::new(Tape::default());
    let mut leader = Replica::open(dir.path(), &tape);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)").await.unwrap();
    (dir, leader)
}

#[tokio::test]
async fn writers_take_turns() {
    let (_dir, mut leader) = leader().await;
    let mut first = leader.engine.open_session("app").await.unwrap();
    let mut second = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut first, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1, 1)").await.unwrap();
    second.set_busy_timeout(Duration::from_millis(20));
    let sql = "INSERT INTO t VALUES (2, 2)";
    let error = leader.run(&mut second, sql).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (5, "database is locked"));
    assert_eq!(query(&mut second, "SELECT count(*) FROM t").await.unwrap(), ["0"]);
    second.set_busy_timeout(Duration::from_secs(60));
    let tape_waits = async {
        leader.run(&mut first, "COMMIT").await.unwrap();
        leader.run(&mut second, sql).await.unwrap();
        query(&mut second, "SELECT count(*) FROM t").await.unwrap()
    };
    assert_eq!(tape_waits.await, ["2"]);
}

#[tokio::test]
async fn a_session_that_goes_away_leaves_the_lane() {
    let (_dir, mut leader) = leader().await;
    let mut first = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut first, "BEGIN; INSERT INTO t VALUES (1, 1)").await.unwrap();
    drop(first);
    let mut second = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut second, "INSERT INTO t VALUES (2, 2)").await.unwrap();
    assert_eq!(query(&mut second, "SELECT a FROM t").await.unwrap(), ["2"]);
}

#[tokio::test]
async fn a_stale_reader_cannot_write() {
    let (_dir, mut leader) = leader().await;
    let mut first = leader.engine.open_session("app").await.unwrap();
    let mut second = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut first, "BEGIN; SELECT 1").await.unwrap_err();
    leader.run(&mut first, "ROLLBACK").await.unwrap();
    leader.run(&mut first, "BEGIN").await.unwrap();
    query(&mut first, "SELECT count(*) FROM t").await.unwrap();
    leader.run(&mut second, "INSERT INTO t VALUES (1, 1)").await.unwrap();
    let error = leader.run(&mut first, "INSERT INTO t VALUES (2, 2)").await.unwrap_err();
    assert_eq!(error.code(), 517);
}

#[tokio::test]
async fn an_exec_that_gives_rows_has_no_effect() {
    let (_dir, mut leader) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    for sql in ["INSERT INTO t VALUES (1, 1) RETURNING a", "SELECT 1"] {
        let error = leader.run(&mut session, sql).await.unwrap_err();
        assert!(matches!(error, Error::RowsYielded), "{sql}");
    }
    leader.run(&mut session, "INSERT INTO t VALUES (2, 2)").await.unwrap();
    assert_eq!(query(&mut session, "SELECT a FROM t").await.unwrap(), ["2"]);
}

#[tokio::test]
async fn statements_that_go_round_the_replication_are_refused_with_the_reason() {
    let (_dir, mut leader) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    for sql in [
        "PRAGMA journal_mode = DELETE",
        "PRAGMA synchronous = OFF",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA page_size = 8192",
        "PRAGMA wal_checkpoint",
        "PRAGMA main.wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_autocheckpoint = 1",
        "ATTACH 'other.db' AS o",
        "ATTACH 'oth' || 'er.db' AS o",
        "VACUUM INTO 'copy.db'",
        "SELECT load_extension('x')",
    ] {
        let error = leader.run(&mut session, sql).await.unwrap_err();
        assert_eq!(error.code(), 23, "{sql}: {error}");
        assert!(error.to_string().starts_with("not authorized"), "{sql}: {error}");
    }
    assert_eq!(query(&mut session, "PRAGMA journal_mode").await.unwrap(), ["wal"]);
    for sql in ["VACUUM", "ATTACH '' AS o", "PRAGMA user_version = 7"] {
        leader.run(&mut session, sql).await.unwrap();
    }
    assert_eq!(query(&mut session, "PRAGMA user_version").await.unwrap(), ["7"]);
}

#[tokio::test]
async fn an_interrupt_stops_what_runs_and_the_session_goes_on() {
    let (_dir, mut leader) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let interrupter = session.interrupter();
    let endless = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
        SELECT count(*) FROM s";
    let stopper = tokio::spawn(async move {
        loop {
            interrupter.interrupt();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let error = query(&mut session, endless).await.unwrap_err();
    stopper.abort();
    assert!(matches!(error, Error::Interrupted));
    leader.run(&mut session, "INSERT INTO t VALUES (1, 1)").await.unwrap();
}

#[tokio::test]
async fn texts_must_hold_one_statement() {
    let (_dir, mut leader) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let error = query(&mut session, "SELECT 1; SELECT 2").await.unwrap_err();
    assert!(matches!(error, Error::StatementTail));
    for sql in ["", " -- nothing", ";"] {
        let error = query(&mut session, sql).await.unwrap_err();
        assert!(matches!(error, Error::EmptyStatement), "{sql:?}");
    }
    assert_eq!(query(&mut session, "SELECT 1; -- done").await.unwrap(), ["1"]);
    let prepared = session.prepare("SELECT 'ö'; SELECT 2".into(), Tail::Report).await.unwrap();
    assert_eq!((prepared.tail_offset, prepared.parameter_count), (12, 0));
    session.finalize(prepared.id).await.unwrap();
    assert!(matches!(session.finalize(prepared.id).await, Err(Error::NoStatement)));
    let gone = session.query(Source::Prepared(prepared.id), (), Lines::default()).await;
    assert!(matches!(gone, Err(Error::NoStatement)));
    leader
        .run(&mut session, "INSERT INTO t VALUES (1, 1); INSERT INTO nowhere VALUES (1)")
        .await
        .unwrap_err();
    assert_eq!(query(&mut session, "SELECT a FROM t").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn only_the_leader_opens_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let follower = Replica::open(dir.path(), &Arc::new(Tape::default()));
    assert!(matches!(follower.engine.open_session("app").await, Err(Error::NotLeader)));
    assert!(matches!(follower.engine.dump("app").await, Err(Error::NoDatabase)));
}
