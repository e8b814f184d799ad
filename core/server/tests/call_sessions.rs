//! Calls of drivers in the node's own process.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use dqlite_server::{Blocking, CallError, CallSession, Node, Watch};
use dqlite_wire::call::{
    BatchLimits, Consistency, OpenSession, ParameterSet, Place, Ran, RowBatch, Run, RunKind,
};
use dqlite_wire::{Value, ValueRef};
use parking_lot::Mutex;
use raw::Server;
use raw::cluster::three;

fn open(place: Place) -> OpenSession {
    OpenSession { database: "app".into(), client: 9, place, busy_timeout_ms: 5000 }
}

async fn session(node: &Node, place: Place) -> CallSession {
    node.open_session(&open(place)).await.unwrap()
}

fn sql(text: &str) -> Run {
    Run { sql: text.into(), ..Run::default() }
}

fn script(text: &str) -> Run {
    Run { kind: RunKind::Script, ..sql(text) }
}

async fn run(session: &mut CallSession, run: Run) -> Result<Ran, CallError> {
    session.run(run, Blocking::Pool).await
}

fn numbers(batch: &RowBatch) -> Vec<i64> {
    let number = |row: Vec<ValueRef<'_>>| match row[..] {
        [ValueRef::Integer(number)] => number,
        _ => panic!("{row:?}"),
    };
    batch.rows().unwrap().map(|row| number(row.unwrap())).collect()
}

async fn count(session: &mut CallSession, consistency: Consistency) -> Result<i64, CallError> {
    let count = Run { consistency, ..sql("SELECT count(*) FROM t") };
    Ok(numbers(&run(session, count).await?.rows)[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_went() {
    let server = Server::single().await;
    let mut session = session(&server.node, Place::Leader).await;
    let values = vec![
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Float(-0.5),
        Value::Text("a\0ö".into()),
        Value::Blob(vec![0, 255].into()),
    ];
    let positional = vec![ParameterSet::Positional(values.clone())];
    let asked =
        Run { parameters: positional, ..sql("SELECT ?, ?, ?, ?, ?, CAST(x'ff00' AS TEXT)") };
    let ran = run(&mut session, asked).await.unwrap();
    let rows: Vec<_> = ran.rows.rows().unwrap().collect::<Result<_, _>>().unwrap();
    let mut expected: Vec<_> = values.iter().map(Value::as_ref).collect();
    expected.push(ValueRef::Text(b"\xff\0"));
    assert_eq!(rows, [expected]);
    let named = ParameterSet::Named(vec![("n".into(), Value::Boolean(7))]);
    let ran = run(&mut session, Run { parameters: vec![named], ..sql("SELECT :n AS n") }).await;
    let ran = ran.unwrap();
    assert_eq!((numbers(&ran.rows), &*ran.columns[0].name), (vec![1], "n"));
    assert_eq!(ran.columns[0].declared_type, None);
    let none = run(&mut session, sql("SELECT 1 WHERE 0")).await.unwrap();
    assert_eq!((none.rows.row_count(), none.rows.column_count(), none.columns.len()), (0, 1, 1));
    let nothing = run(&mut session, sql("CREATE TABLE t (n)")).await.unwrap();
    assert!(nothing.rows.0.is_empty() && nothing.columns.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_ends_with_the_row_that_reaches_a_limit() {
    let server = Server::single().await;
    let mut session = session(&server.node, Place::Leader).await;
    let count_to = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10)
        SELECT i FROM s";
    for limits in
        [BatchLimits { rows: 4, bytes: 9999 }, BatchLimits { rows: 99, bytes: 8 + 3 * 9 + 1 }]
    {
        let ran = run(&mut session, Run { limits, ..sql(count_to) }).await.unwrap();
        assert_eq!(numbers(&ran.rows), [1, 2, 3, 4]);
        let cursor = ran.cursor.unwrap();
        let all = BatchLimits::default();
        let next = session.fetch(cursor, limits, Blocking::Inline).await.unwrap();
        assert_eq!((numbers(&next.rows), next.more), (vec![5, 6, 7, 8], true));
        let last = session.fetch(cursor, all, Blocking::Pool).await.unwrap();
        assert_eq!((numbers(&last.rows), last.more), (vec![9, 10], false));
        let gone = session.fetch(cursor, all, Blocking::Pool).await.unwrap_err();
        assert_eq!(gone.code, 21);
    }
}

/// Remembers which threads asked.
#[derive(Default)]
struct Threads(Mutex<Vec<ThreadId>>);

impl Watch for Threads {
    fn should_stop(&self) -> bool {
        self.0.lock().push(std::thread::current().id());
        false
    }
}

#[test]
fn sqlite_runs_on_the_calling_thread_if_that_is_asked() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::single());
    let mut session = runtime.block_on(session(&server.node, Place::Leader));
    let threads = Arc::new(Threads::default());
    session.set_watch(Some(threads.clone()));
    let endless = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
        SELECT count(*) FROM s";
    let stopped = Run { timeout_ms: 150, ..sql(endless) };
    let own = std::thread::current().id();
    for (blocking, here) in [(Blocking::Inline, true), (Blocking::Pool, false)] {
        let error = runtime.block_on(session.run(stopped.clone(), blocking)).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (9, "timed out after 150 ms"));
        let asked = std::mem::take(&mut *threads.0.lock());
        assert!(!asked.is_empty());
        // While SQLite runs elsewhere the caller waits, and is asked too.
        assert_eq!(asked.iter().all(|thread| *thread == own), here);
    }
    runtime.block_on(server.node.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_as_fresh_as_it_is_asked_to_be() {
    let [leader, follower, _other] = three(|_| {}).await;
    follower.wait_leader(1).await;
    let refused = follower.node.open_session(&open(Place::Leader)).await.unwrap_err();
    assert_eq!(refused.code, 10250);
    let mut writer = session(&leader.node, Place::Leader).await;
    let mut reader = session(&follower.node, Place::Here).await;
    run(&mut writer, sql("CREATE TABLE t (n)")).await.unwrap();
    for number in 0..20 {
        let ran = run(&mut writer, sql("INSERT INTO t VALUES (1)")).await.unwrap();
        let consistency = match number % 3 {
            0 => Consistency::Linearizable,
            1 => Consistency::Within(0),
            _ => Consistency::AtLeast(ran.index),
        };
        assert_eq!(count(&mut reader, consistency).await.unwrap(), number + 1, "{consistency:?}");
    }
    let refused = run(&mut reader, sql("INSERT INTO t VALUES (1)")).await.unwrap_err();
    assert_eq!(refused.code, 10250);
    // On the leader it is a round of its own, and no other node is asked.
    let mut beside = session(&leader.node, Place::Here).await;
    assert_eq!(count(&mut beside, Consistency::Within(0)).await.unwrap(), 20);
    let index = leader.node.barrier().await.unwrap();
    follower.node.wait_applied(index).await;
    assert!(follower.node.applied_index() >= index);
    assert_eq!(follower.node.barrier().await.unwrap_err().code, 10250);
    assert!(leader.node.is_leading() && !follower.node.is_leading());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_does_not_pretend_to_be_fresh() {
    let [leader, follower, other] = three(|_| {}).await;
    follower.wait_leader(1).await;
    let mut writer = session(&leader.node, Place::Leader).await;
    run(&mut writer, script("CREATE TABLE t (n); INSERT INTO t VALUES (1)")).await.unwrap();
    let mut reader = session(&follower.node, Place::Here).await;
    assert_eq!(count(&mut reader, Consistency::Within(0)).await.unwrap(), 1);
    other.node.stop().await;
    leader.node.stop().await;
    assert_eq!(count(&mut reader, Consistency::Within(3_600_000)).await.unwrap(), 1, "fresh since");
    assert_eq!(count(&mut reader, Consistency::Within(u64::MAX)).await.unwrap(), 1);
    for consistency in [Consistency::Within(0), Consistency::Linearizable] {
        let count = Run { consistency, timeout_ms: 500, ..sql("SELECT count(*) FROM t") };
        let error = run(&mut reader, count).await.unwrap_err();
        assert!(matches!(error.code, 10250 | 9), "{error}");
    }
    let lonely = Server::lonely().await;
    let mut reader = session(&lonely.node, Place::Here).await;
    let error = run(&mut reader, Run { consistency: Consistency::Within(5000), ..sql("SELECT 1") });
    assert_eq!(error.await.unwrap_err().code, 10250);
    let any = Run { consistency: Consistency::Within(u64::MAX), ..sql("SELECT 1") };
    assert_eq!(numbers(&run(&mut reader, any).await.unwrap().rows), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database_like_any_other() {
    let [leader, follower, _other] = three(|_| {}).await;
    let mut writer = session(&leader.node, Place::Leader).await;
    let fill = "CREATE TABLE t (n, b);
        WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
        INSERT INTO t SELECT i, randomblob(1000) FROM s";
    let index = run(&mut writer, script(fill)).await.unwrap().index;
    follower.node.wait_applied(index).await;
    let mut reader = session(&follower.node, Place::Here).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.db");
    std::fs::write(&path, "what was there before").unwrap();
    // What a transaction has not committed is not in it.
    let begin = Run { begin: true, ..sql("INSERT INTO t VALUES (0, 0)") };
    assert!(run(&mut writer, begin).await.unwrap().in_transaction);
    for session in [&mut writer, &mut reader] {
        let mut seen = Vec::new();
        let stopped = session.backup(&path, |_| false).await.unwrap_err();
        assert_eq!(stopped.code, 9);
        session
            .backup(&path, |at| {
                seen.push(at.remaining_pages);
                assert!(at.total_pages > 500);
                true
            })
            .await
            .unwrap();
        assert!(seen.len() > 1 && seen.is_sorted_by(|a, b| a > b) && seen.ends_with(&[0]));
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[18..20], [1, 1], "not in WAL mode");
        let copy = rusqlite::Connection::open(&path).unwrap();
        let ask = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(ask("PRAGMA integrity_check"), "ok");
        assert_eq!(ask("PRAGMA journal_mode"), "delete");
        assert_eq!(ask("SELECT CAST(count(*) AS TEXT) FROM t"), "2000");
    }
    assert!(run(&mut writer, sql("COMMIT")).await.unwrap().changes.is_none());
    let nowhere = dir.path().join("no/such/folder/copy.db");
    assert!(reader.backup(&nowhere, |_| true).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_moment_while_others_write() {
    let server = Server::single().await;
    let mut writer = session(&server.node, Place::Leader).await;
    let fill = "CREATE TABLE t (n, b);
        WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
        INSERT INTO t SELECT i, randomblob(1000) FROM s";
    run(&mut writer, script(fill)).await.unwrap();
    let mut copier = session(&server.node, Place::Leader).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.db");
    let (steps_in, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let writing = tokio::spawn(async move {
        while steps.recv().await.is_some() {
            // Each keeps the sum as it is.
            let swap = "BEGIN; DELETE FROM t WHERE n = (SELECT max(n) FROM t);
                INSERT INTO t VALUES (2000, zeroblob(3000)); COMMIT";
            run(&mut writer, script(swap)).await.unwrap();
        }
    });
    copier.backup(&path, |_| steps_in.send(()).is_ok()).await.unwrap();
    drop(steps_in);
    writing.await.unwrap();
    let copy = rusqlite::Connection::open(&path).unwrap();
    let (sum, largest): (i64, i64) = copy
        .query_row("SELECT sum(n), max(length(b)) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!((sum, largest), (2000 * 2001 / 2, 1000), "nothing of what came later");
    let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_lead() {
    let server = Server::single().await;
    let mut writer = session(&server.node, Place::Leader).await;
    assert!(writer.opened_index() > 0 && !writer.is_over());
    let begin = Run { begin: true, ..sql("CREATE TABLE t (n)") };
    run(&mut writer, begin).await.unwrap();
    assert!(writer.in_transaction());
    server.node.stop().await;
    assert!(writer.is_over());
    assert_eq!(run(&mut writer, sql("COMMIT")).await.unwrap_err().code, 10250);
    assert!(!writer.in_transaction());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_round_serves_all_who_wait() {
    let [leader, follower, _other] = three(|_| {}).await;
    let mut writer = session(&leader.node, Place::Leader).await;
    run(&mut writer, script("CREATE TABLE t (n); INSERT INTO t VALUES (1)")).await.unwrap();
    follower.wait_leader(1).await;
    let node = follower.node.clone();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut reader = session(&node, Place::Here).await;
        readers.spawn(async move { count(&mut reader, Consistency::Within(0)).await });
    }
    let counts = tokio::time::timeout(Duration::from_secs(30), readers.join_all()).await.unwrap();
    assert!(counts.into_iter().all(|count| count == Ok(1)));
}
