//! INTERRUPT: one EMPTY each, whatever it meets.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Failure, Server, Table, V, Wire, ask, exec_sql, frame, interrupt, query_sql, say};

const ENDLESS_COUNT: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s";
const ENDLESS_ROWS: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT i FROM s";
const ENDLESS_INSERT: &str =
    "INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
     SELECT 1 FROM s WHERE i < 0";

async fn table(server: &Server) -> Wire {
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (n)").await;
    wire
}

#[tokio::test(flavor = "multi_thread")]
async fn idle() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    wire.ask(ask::INTERRUPT, [0; 8]).await.assert_empty();
    wire.open("test").await;
    for _ in 0..3 {
        wire.ask(ask::INTERRUPT, [0; 8]).await.assert_empty();
    }
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_frame() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    for _ in 0..3 {
        wire.send(&query_sql(ENDLESS_COUNT, &[])).await;
        wire.send(&interrupt()).await;
        wire.next().await.assert_empty();
        wire.expect_in_step().await;
    }
    wire.run("INSERT INTO t VALUES (1)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_the_rows() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let (id, _) = wire.prepare(ENDLESS_ROWS).await.unwrap();
    let prepared = frame(ask::QUERY, 0, &raw::Body::new().u32(0).u32(id));
    for query in [query_sql(ENDLESS_ROWS, &[]), prepared.clone(), prepared] {
        wire.send(&query).await;
        let mut table = Table::default();
        for _ in 0..3 {
            assert!(!table.take(&wire.next().await));
        }
        wire.send(&interrupt()).await;
        let end = loop {
            let answer = wire.next().await;
            if answer.kind != say::ROWS {
                break answer;
            }
            assert!(!table.take(&answer), "no DONE beside the EMPTY");
        };
        end.assert_empty();
        assert!(table.rows.iter().zip(1..).all(|(row, number)| row == &[V::Integer(number)]));
        wire.expect_in_step().await;
    }
    // Nothing is left open that would keep the schema or the log from moving on.
    wire.run("DROP TABLE t; VACUUM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_frame() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    assert_eq!(wire.number("SELECT 1").await, 1);
    wire.ask(ask::INTERRUPT, [0; 8]).await.assert_empty();
    assert_eq!(wire.number("SELECT 2").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_any_moment_of_a_short_query() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?)
        SELECT i, zeroblob(100) FROM s";
    for round in 0..200 {
        wire.send(&query_sql(sql, &[V::Integer(1 + round * 10)])).await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        wire.send(&interrupt()).await;
        let mut table = Table::default();
        let mut done = false;
        loop {
            let answer = wire.next().await;
            if answer.kind == say::EMPTY {
                break;
            }
            assert!(!done);
            done = table.take(&answer);
        }
        wire.expect_in_step().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_is_answered() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let mut bytes = query_sql(ENDLESS_COUNT, &[]);
    for _ in 0..4 {
        bytes.extend(interrupt());
    }
    wire.send(&bytes).await;
    for _ in 0..4 {
        wire.next().await.assert_empty();
    }
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn during_exec_the_statement_has_no_effect() {
    let server = Server::single().await;
    let (mut wire, mut other) = (table(&server).await, server.session().await);
    let (id, _) = wire.prepare(ENDLESS_INSERT).await.unwrap();
    let prepared = frame(ask::EXEC, 0, &raw::Body::new().u32(0).u32(id));
    let script = format!("INSERT INTO t VALUES (7); {ENDLESS_INSERT}; INSERT INTO t VALUES (8)");
    for exec in [exec_sql(ENDLESS_INSERT, &[]), prepared, exec_sql(&script, &[])] {
        wire.send(&exec).await;
        wire.send(&interrupt()).await;
        assert_eq!(wire.next().await.failure(), Failure::new(9, "interrupted"));
        wire.next().await.assert_empty();
        wire.expect_in_step().await;
        other.run("INSERT INTO t VALUES (1)").await;
    }
    assert_eq!(other.number("SELECT count(*) FROM t WHERE n = 8").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_returns_rows_is_rolled_back() {
    let server = Server::single().await;
    let (mut wire, mut other) = (table(&server).await, server.session().await);
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
        INSERT INTO t SELECT i FROM s RETURNING n";
    wire.send(&query_sql(sql, &[])).await;
    wire.send(&interrupt()).await;
    wire.next().await.assert_empty();
    other.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    wire.run("BEGIN; INSERT INTO t VALUES (1)").await;
    // A query that is stopped leaves the transaction as it is.
    wire.send(&query_sql(ENDLESS_ROWS, &[])).await;
    let mut rows = Table::default();
    assert!(!rows.take(&wire.next().await));
    wire.send(&interrupt()).await;
    while wire.next().await.kind != say::EMPTY {}
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 1);
    wire.run("COMMIT").await;
    // A write that is stopped takes the transaction with it, as SQLite has it.
    wire.run("BEGIN; INSERT INTO t VALUES (2)").await;
    wire.send(&exec_sql(ENDLESS_INSERT, &[])).await;
    wire.send(&interrupt()).await;
    assert_eq!(wire.next().await.failure().code, 9);
    wire.next().await.assert_empty();
    assert!(wire.fails("COMMIT").await.message.contains("no transaction is active"));
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_waiting_for_the_turn_to_write() {
    let server = Server::single().await;
    let (mut holder, mut wire) = (table(&server).await, server.session().await);
    holder.run("BEGIN IMMEDIATE").await;
    wire.send(&exec_sql("INSERT INTO t VALUES (1)", &[])).await;
    wire.send(&interrupt()).await;
    assert_eq!(wire.next().await.failure(), Failure::new(9, "interrupted"));
    wire.next().await.assert_empty();
    wire.send(&query_sql("INSERT INTO t VALUES (2) RETURNING n", &[])).await;
    wire.send(&interrupt()).await;
    wire.next().await.assert_empty();
    holder.run("COMMIT").await;
    wire.run("INSERT INTO t VALUES (3)").await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 3);
}
