//! The client with real nodes in this process.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dqlite_client::{Client, Env, Error, ErrorKind, Outcome, Role, TransactionMode, Value};
use dqlite_server::{Node, NodeOptions};
use dqlite_wire::codes;
use tempfile::TempDir;

struct Running {
    node: Node,
    _data_dir: TempDir,
}

/// Starts a node. The sockets are abstract ones: their names need no luck with ports.
async fn start(name: &str, join: &[&Running]) -> Running {
    let data_dir = tempfile::tempdir().unwrap();
    let address = format!("@dqlite-client-{}-{name}", std::process::id());
    let mut options = NodeOptions::new(data_dir.path(), address);
    options.join = join.iter().map(|member| member.node.address().to_owned()).collect();
    let node = Node::start(Env::real(), options).await.unwrap();
    node.ready().await.unwrap();
    Running { node, _data_dir: data_dir }
}

fn client(node: &Running) -> Client {
    Client::new(Env::real(), [node.node.address()], "test")
}

async fn integers(client: &Client, sql: &str) -> Vec<i64> {
    let rows = client.query_all(sql, ()).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn rows_are_written_read_changed_and_deleted() {
    let node = start("crud", &[]).await;
    let client = client(&node);
    let create = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL, d BOOLEAN)";
    client.execute(create, ()).await.unwrap();
    let insert = "INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?)";
    let executed = client.execute(insert, ("é", vec![0_u8, 255], 1.5, true)).await.unwrap();
    assert_eq!((executed.last_insert_id, executed.rows_affected), (1, 1));
    client.execute(insert, (None::<String>, (), (), ())).await.unwrap();
    let rows = client.query_all("SELECT * FROM t ORDER BY id", ()).await.unwrap();
    assert_eq!(rows[0].columns(), ["id", "a", "b", "c", "d"]);
    assert_eq!(rows[0].get::<String>("a").unwrap(), "é");
    assert_eq!(rows[0].get::<Vec<u8>>("b").unwrap(), [0, 255]);
    assert_eq!(rows[0].get::<f64>("c"), Ok(1.5));
    assert_eq!(rows[0].get::<bool>("d"), Ok(true));
    assert_eq!(rows[1].values()[1..], [const { Value::Null }; 4]);
    client.execute("UPDATE t SET a = 'x' WHERE id = ?", (2,)).await.unwrap();
    let rows = client.query_all("DELETE FROM t WHERE id > ? RETURNING a", [0]).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(integers(&client, "SELECT count(*) FROM t").await, [0]);
    node.node.stop().await;
}

#[tokio::test]
async fn twenty_thousand_rows_stream_and_may_be_dropped() {
    let node = start("stream", &[]).await;
    let client = client(&node);
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                   SELECT i, 'row ' || i AS name FROM n";
    let mut rows = client.query(numbers, (20_000,)).await.unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().await.unwrap() {
        count += 1;
        assert_eq!(row.get::<i64>(0), Ok(count));
        assert_eq!(row.get::<String>("name").unwrap(), format!("row {count}"));
    }
    assert_eq!(count, 20_000);
    // Without its interrupt this one would never end.
    let mut connection = client.connection().await.unwrap();
    let mut rows = connection.query(numbers, (i64::MAX,)).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>(0), Ok(1));
    drop(rows);
    connection.execute("CREATE TABLE t (n INTEGER)", ()).await.unwrap();
    drop(client.query(numbers, (i64::MAX,)).await.unwrap());
    client.execute("DROP TABLE t", ()).await.unwrap();
    node.node.stop().await;
}

#[tokio::test]
async fn transactions_are_committed_or_taken_back_whole() {
    let node = start("transaction", &[]).await;
    let client = client(&node);
    client.execute("CREATE TABLE t (n INTEGER UNIQUE)", ()).await.unwrap();
    let sum = client
        .transaction(|tx| async move {
            for n in 1..=3 {
                tx.execute("INSERT INTO t VALUES (?)", (n,)).await?;
            }
            tx.query_all("SELECT sum(n) FROM t", ()).await?[0].get::<i64>(0)
        })
        .await;
    assert_eq!(sum, Ok(6));
    let taken_back = client
        .transaction(|tx| async move {
            tx.execute("INSERT INTO t VALUES (4)", ()).await?;
            tx.execute("INSERT INTO t VALUES (1)", ()).await
        })
        .await;
    assert_eq!(taken_back.unwrap_err().code, codes::CONSTRAINT_UNIQUE);
    let aborted: Result<(), Error> = client
        .transaction(|tx| async move {
            tx.execute("DELETE FROM t", ()).await?;
            Err(Error::aborted("on second thoughts"))
        })
        .await;
    assert_eq!(aborted.unwrap_err().kind, ErrorKind::Aborted);
    let mut dropped = client.connection().await.unwrap();
    dropped.begin(TransactionMode::Immediate).await.unwrap();
    dropped.execute("DELETE FROM t", ()).await.unwrap();
    drop(dropped);
    // Its write lock is gone with it.
    client.execute("INSERT INTO t VALUES (5)", ()).await.unwrap();
    assert_eq!(integers(&client, "SELECT n FROM t ORDER BY n").await, [1, 2, 3, 5]);
    node.node.stop().await;
}

#[tokio::test]
async fn transactions_that_meet_run_one_after_the_other() {
    let node = start("contention", &[]).await;
    let client = client(&node);
    client.execute("CREATE TABLE t (n INTEGER)", ()).await.unwrap();
    client.execute("INSERT INTO t VALUES (0)", ()).await.unwrap();
    let increment = |client: Client| async move {
        // Deferred: the read comes first, so that its snapshot may be stale when it writes.
        let body = |tx: dqlite_client::Transaction| async move {
            let n: i64 = tx.query_all("SELECT n FROM t", ()).await?[0].get(0)?;
            tx.execute("UPDATE t SET n = ?", (n + 1,)).await
        };
        client.transaction_with(TransactionMode::Deferred, body).await
    };
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(increment(client.clone()))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(integers(&client, "SELECT n FROM t").await, [8]);
    node.node.stop().await;
}

#[tokio::test]
async fn violated_constraints_are_told_apart() {
    let node = start("constraint", &[]).await;
    let client = client(&node);
    let script = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INTEGER NOT NULL,
                                  c INTEGER CHECK (c > 0), d INTEGER REFERENCES t (id));
                  INSERT INTO t VALUES (1, 'a', 1, 1, NULL)";
    client.execute(script, ()).await.unwrap();
    for (values, code) in [
        ("(1, 'b', 1, 1, NULL)", codes::CONSTRAINT_PRIMARY_KEY),
        ("(2, 'a', 1, 1, NULL)", codes::CONSTRAINT_UNIQUE),
        ("(2, 'b', NULL, 1, NULL)", codes::CONSTRAINT_NOT_NULL),
        ("(2, 'b', 1, 0, NULL)", codes::CONSTRAINT_CHECK),
        ("(2, 'b', 1, 1, 9)", codes::CONSTRAINT_FOREIGN_KEY),
    ] {
        let sql = format!("INSERT INTO t VALUES {values}");
        let error = client.execute(&sql, ()).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Constraint, code), "{sql}: {error}");
        assert_eq!(error.outcome, Outcome::NotApplied);
    }
    let error = client.query("SELEC 1", ()).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Sql, codes::ERROR));
    node.node.stop().await;
}

#[tokio::test]
async fn statements_are_prepared_once_and_run_often() {
    let node = start("prepared", &[]).await;
    let mut connection = client(&node).connection().await.unwrap();
    connection.execute("CREATE TABLE t (n INTEGER)", ()).await.unwrap();
    let insert = connection.prepare("INSERT INTO t VALUES (?)").await.unwrap();
    for n in 0..10 {
        connection.execute_prepared(&insert, (n,)).await.unwrap();
    }
    connection.finalize(insert).await.unwrap();
    let select = connection.prepare("SELECT n FROM t WHERE n > ?").await.unwrap();
    let rows = connection.query_prepared(&select, (6,)).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.len(), 3);
    let many = vec!["?"; 300].join(", ");
    let numbers: Vec<i64> = (0..300).collect();
    let rows = connection.query_all(&format!("SELECT {many}"), &numbers).await.unwrap();
    assert_eq!(rows[0].get::<i64>(299), Ok(299));
    drop(connection);
    node.node.stop().await;
}

/// What the writers were told of each number that they wrote.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Written,
    NotWritten,
    Nothing,
}

async fn write(
    client: Client,
    next: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    until: u64,
) -> Vec<(i64, Told)> {
    let mut told = Vec::new();
    while written.load(Ordering::SeqCst) < until {
        let number = next.fetch_add(1, Ordering::SeqCst) as i64;
        let answer = client.execute("INSERT INTO t VALUES (?)", (number,)).await;
        told.push((
            number,
            match answer.map_err(|error| error.outcome) {
                Ok(_) => {
                    written.fetch_add(1, Ordering::SeqCst);
                    Told::Written
                }
                Err(Outcome::NotApplied) => Told::NotWritten,
                Err(Outcome::Unknown) => Told::Nothing,
            },
        ));
    }
    told
}

#[tokio::test]
async fn every_write_that_was_acknowledged_outlives_the_leader() {
    const HALF: u64 = 100;
    let first = start("three-1", &[]).await;
    let second = start("three-2", &[&first]).await;
    let third = start("three-3", &[&first]).await;
    let nodes = [first, second, third];
    let addresses = nodes.each_ref().map(|node| node.node.address().to_owned());
    let client = Client::new(Env::real(), addresses, "test");
    let members = client.cluster().members().await.unwrap();
    assert_eq!(members.iter().filter(|member| member.role == Role::Voter).count(), 3);
    // No constraint would hide that a number was written twice.
    client.execute("CREATE TABLE t (n INTEGER)", ()).await.unwrap();

    let (next, written) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(write(client.clone(), next.clone(), written.clone(), 2 * HALF)))
        .collect();
    while written.load(Ordering::SeqCst) < HALF {
        tokio::task::yield_now().await;
    }
    let leader = client.cluster().leader().await.unwrap();
    let leads = |node: &&Running| *node.node.address() == *leader.address;
    nodes.iter().find(leads).unwrap().node.stop().await;
    let mut told = BTreeMap::new();
    for writer in writers {
        told.extend(writer.await.unwrap());
    }

    let mut found = BTreeMap::new();
    for number in integers(&client, "SELECT n FROM t").await {
        *found.entry(number).or_insert(0) += 1;
    }
    assert!(found.values().all(|times| *times == 1), "written twice: {found:?}");
    for (number, told) in told {
        match told {
            Told::Written => assert!(found.contains_key(&number), "{number} is lost"),
            Told::NotWritten => assert!(!found.contains_key(&number), "{number} is there"),
            Told::Nothing => {}
        }
    }
    assert_ne!(client.cluster().leader().await.unwrap(), leader);
    for node in nodes.iter().filter(|node| !leads(node)) {
        let status = client.cluster().status(node.node.address()).await.unwrap();
        assert_eq!(status.databases.len(), 1);
        node.node.stop().await;
    }
}
