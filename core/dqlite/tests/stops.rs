//! Calls that are cancelled or out of time: the next call works, and the transaction goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use dqlite::{ConnectOptions, Connection, ErrorClass, Operation, TransactionMode};

const ENDLESS_COUNT: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s";
const ENDLESS_INSERT: &str = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) \
     INSERT INTO t SELECT i FROM s";

async fn connect(folder: &tempfile::TempDir, timeout: Option<Duration>) -> Connection {
    let options = ConnectOptions { timeout, ..ConnectOptions::default() };
    dqlite::connect(folder.path().to_str().unwrap(), options).await.unwrap()
}

async fn count(connection: &Connection) -> i64 {
    let mut cursor = connection.execute("SELECT count(*) FROM t", ()).await.unwrap();
    cursor.fetch_one().await.unwrap().unwrap().get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_statement_leaves_its_transaction_open_and_usable() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(&folder, None).await;
    connection.execute("CREATE TABLE t (a)", ()).await.unwrap();
    connection.begin(TransactionMode::Immediate).await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    for sql in [ENDLESS_COUNT, ENDLESS_INSERT] {
        let operation = Operation::new();
        let stopped = connection.with_operation(operation.clone());
        let call = tokio::spawn(async move { stopped.execute(sql, ()).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(50)).await;
        operation.cancel();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Interrupted, "{error:?}");
        assert!(connection.in_transaction(), "{sql}");
        assert_eq!(count(&connection).await, 1, "{sql}");
    }
    connection.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
    connection.commit().await.unwrap();
    assert_eq!(count(&connection).await, 2);
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_out_of_time_leaves_its_transaction_open_too() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(&folder, Some(Duration::from_millis(200))).await;
    connection.execute("CREATE TABLE t (a)", ()).await.unwrap();
    connection.begin(TransactionMode::Immediate).await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    let error = connection.execute(ENDLESS_INSERT, ()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Timeout, "{error:?}");
    assert_eq!(count(&connection).await, 1);
    connection.commit().await.unwrap();
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_not_meant_for_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(&folder, None).await;
    for _ in 0..50 {
        connection.interrupt();
        connection.execute("SELECT 1", ()).await.unwrap();
    }
    connection.close().await;
}
