//! Transactions of several connections: turns, locks, snapshots, and who lets go of them.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use raw::{Failure, Server, V, Wire, ask, exec_sql, frame, query_sql};

const ENDLESS_INSERT: &str =
    "INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
     SELECT 1 FROM s WHERE i < 0";

async fn table(server: &Server) -> Wire {
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (n)").await;
    wire
}

/// Goes away in the middle of whatever is running, and returns once the server has noticed.
async fn leave(mut wire: Wire) {
    wire.finish().await;
    wire.expect_close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_seen_by_others_when_it_is_committed() {
    let server = Server::single().await;
    let (mut wire, mut other) = (table(&server).await, server.session().await);
    wire.run("BEGIN").await;
    wire.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 1);
    assert_eq!(other.number("SELECT count(*) FROM t").await, 0);
    wire.run("COMMIT").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 1);
    wire.run("BEGIN; DELETE FROM t; ROLLBACK").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 1);
    // A reader keeps its snapshot, and hinders nobody.
    other.run("BEGIN").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 1);
    wire.run("INSERT INTO t VALUES (2)").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 1);
    other.run("COMMIT").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_for_the_busy_timeout_and_no_longer() {
    let server = Server::with(|options| {
        options.engine.busy_timeout = Duration::from_millis(50);
    })
    .await;
    let (mut holder, mut wire) = (table(&server).await, server.session().await);
    let locked = Failure::new(5, "database is locked");
    holder.run("BEGIN IMMEDIATE").await;
    for sql in ["INSERT INTO t VALUES (1)", "BEGIN IMMEDIATE", "CREATE TABLE u (n)", "VACUUM"] {
        assert_eq!(wire.fails(sql).await, locked, "{sql}");
    }
    let (id, _) = wire.prepare("INSERT INTO t VALUES (1)").await.unwrap();
    let body = raw::Body::new().u32(0).u32(id);
    for _ in 0..2 {
        assert_eq!(wire.ask(ask::EXEC, &body).await.failure(), locked);
        assert_eq!(wire.ask(ask::QUERY, &body).await.failure(), locked);
    }
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 0, "readers do not wait");
    // A transaction that could not get the lock goes on without it.
    wire.run("BEGIN").await;
    assert_eq!(wire.fails("INSERT INTO t VALUES (1)").await, locked);
    holder.run("COMMIT").await;
    wire.run("INSERT INTO t VALUES (1); COMMIT").await;
    assert_eq!(holder.number("SELECT count(*) FROM t").await, 1);
}

/// On one thread the server has put each writer into the queue by the time that it answers a
/// question that was asked later.
#[tokio::test]
async fn writers_get_their_turns_in_the_order_of_asking() {
    let server = Server::single().await;
    let (mut holder, mut clock) = (table(&server).await, server.connect().await);
    holder.run("BEGIN IMMEDIATE").await;
    let mut writers = Vec::new();
    for number in 0..10 {
        let mut wire = server.session().await;
        let sql = if number % 2 == 0 {
            "INSERT INTO t VALUES (?)"
        } else {
            "BEGIN IMMEDIATE; INSERT INTO t VALUES (?); COMMIT"
        };
        wire.send(&exec_sql(sql, &[V::Integer(number)])).await;
        // A transaction that is not told by its first word asks twice.
        for _ in 0..5 {
            clock.expect_in_step().await;
        }
        writers.push(wire);
    }
    holder.run("COMMIT").await;
    for writer in &mut writers {
        writer.next().await.executed().unwrap();
    }
    let rows = holder.rows("SELECT n FROM t ORDER BY rowid").await;
    let order: Vec<_> = rows.into_iter().flatten().collect();
    assert_eq!(order, (0..10).map(V::Integer).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_snapshot_cannot_be_written_on() {
    let server = Server::single().await;
    let (mut wire, mut other) = (table(&server).await, server.session().await);
    wire.run("BEGIN").await;
    wire.number("SELECT count(*) FROM t").await;
    other.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(wire.fails("INSERT INTO t VALUES (2)").await.code, 517);
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 0, "still the old snapshot");
    other.run("INSERT INTO t VALUES (3)").await;
    wire.run("ROLLBACK; BEGIN; INSERT INTO t VALUES (4); COMMIT").await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_a_transaction_leaves_it_open() {
    let server = Server::single().await;
    let (mut wire, mut other) = (table(&server).await, server.session().await);
    wire.run("CREATE UNIQUE INDEX u ON t (n)").await;
    assert_eq!(wire.fails("BEGIN; INSERT INTO t VALUES (1), (1)").await.code, 2067);
    wire.run("INSERT INTO t VALUES (2); COMMIT").await;
    assert_eq!(wire.fails("BEGIN; BEGIN").await.code, 1);
    wire.run("ROLLBACK").await;
    let failure = wire.fails("BEGIN; INSERT OR ROLLBACK INTO t VALUES (2)").await;
    assert_eq!(failure.code, 2067);
    assert!(wire.fails("ROLLBACK").await.message.contains("no transaction is active"));
    other.run("INSERT INTO t VALUES (3)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_disconnects_lets_go_of_the_lock() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    for script in
        ["BEGIN IMMEDIATE", "BEGIN; INSERT INTO t VALUES (9)", "SAVEPOINT a; DELETE FROM t"]
    {
        let mut leaving = server.session().await;
        leaving.run(script).await;
        drop(leaving);
        wire.run("INSERT INTO t VALUES (1)").await;
    }
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_disconnects_while_waiting_for_the_lock_never_gets_it() {
    let server = Server::single().await;
    let (mut holder, mut wire) = (table(&server).await, server.session().await);
    holder.run("BEGIN IMMEDIATE").await;
    for script in ["INSERT INTO t VALUES (9)", "BEGIN IMMEDIATE; INSERT INTO t VALUES (9)"] {
        let mut leaving = server.session().await;
        leaving.send(&exec_sql(script, &[])).await;
        leave(leaving).await;
    }
    holder.run("COMMIT").await;
    wire.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_disconnects_while_a_statement_runs_stops_it() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let select = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT ";
    let count = query_sql(&format!("{select} count(*) FROM s"), &[]);
    let rows = query_sql(&format!("{select} i FROM s"), &[]);
    let insert = exec_sql(ENDLESS_INSERT, &[]);
    let script = exec_sql(&format!("BEGIN; INSERT INTO t VALUES (9); {ENDLESS_INSERT}"), &[]);
    let leader = frame(ask::LEADER, 0, &[0; 8]);
    for round in 0..5 {
        for request in [&count, &insert, &script] {
            let mut leaving = server.session().await;
            leaving.send(request).await;
            if round % 2 == 1 {
                // Something else is on its way, so the end is not the next to be read.
                leaving.send(&leader.repeat(3)).await;
            }
            leave(leaving).await;
            wire.run("INSERT INTO t VALUES (1)").await;
        }
        let mut leaving = server.session().await;
        leaving.send(&rows).await;
        leaving.next().await;
        drop(leaving);
        wire.run("INSERT INTO t VALUES (1)").await;
    }
    assert_eq!(wire.number("SELECT count(*) FROM t WHERE n = 9").await, 0);
    // Nobody has the database open any more, who would keep it from being made anew.
    wire.run("DROP TABLE t; VACUUM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_holds_up_no_answer_of_others() {
    let server = Server::single().await;
    let mut holder = table(&server).await;
    holder.run("BEGIN IMMEDIATE").await;
    let (mut quick, mut slow) = (server.session().await, server.session().await);
    quick.send(&exec_sql("INSERT INTO t VALUES (1)", &[])).await;
    slow.send(&exec_sql(ENDLESS_INSERT, &[])).await;
    holder.run("COMMIT").await;
    // Whichever of the two had its turn first.
    match quick.next().await.executed() {
        Ok(executed) => assert_eq!(executed, (1, 1)),
        Err(failure) => assert_eq!(failure, Failure::new(5, "database is locked")),
    }
    leave(slow).await;
    holder.run("INSERT INTO t VALUES (2)").await;
}
