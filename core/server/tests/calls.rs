//! RUN, FETCH and CLOSE: whole statements in one exchange.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::calls::{Call, MANY, ONE, SCRIPT, Set, session};
use raw::{Body, Failure, Server, V, Wire, ask, frame, interrupt, say};

const NUMBERS: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10) SELECT i FROM s";
const ENDLESS_COUNT: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s";
const ENDLESS_ROWS: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT i FROM s";
const ENDLESS_INSERT: &str =
    "INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s)
     SELECT 1 FROM s WHERE i < 0";

fn integers(numbers: impl IntoIterator<Item = i64>) -> Vec<Vec<V>> {
    numbers.into_iter().map(|number| vec![V::Integer(number)]).collect()
}

/// A session with an empty table `t`.
async fn table(server: &Server) -> Wire {
    let mut wire = server.calls().await;
    wire.call("CREATE TABLE t (n INT)").await;
    wire
}

async fn count(wire: &mut Wire) -> Vec<Vec<V>> {
    wire.call("SELECT count(*) FROM t").await.rows
}

#[tokio::test(flavor = "multi_thread")]
async fn one_exchange_tells_everything() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let ran = wire.call("INSERT INTO t VALUES (7), (8)").await;
    assert_eq!((ran.changes, ran.last_insert_rowid, ran.total_changes), (Some(2), 2, 2));
    assert!(!ran.in_transaction && ran.index > 0 && ran.columns.is_empty());
    let read = wire.call("SELECT n, n / 2.0 AS half FROM t").await;
    let declared = |name: &str, declared: &str| (name.to_owned(), declared.to_owned());
    assert_eq!(read.columns, [declared("n", "INT"), declared("half", "")]);
    assert_eq!(read.rows[0], [V::Integer(7), V::Float(3.5)]);
    assert_eq!((read.changes, read.cursor, read.rows.len()), (None, None, 2));
    assert!(read.index >= ran.index);

    let begin = Call { begin: 1, ..ONE };
    let ran = wire.call_with(begin, "DELETE FROM t WHERE n = 7 RETURNING n", &[]).await.unwrap();
    assert!(ran.in_transaction);
    assert_eq!((ran.changes, ran.rows), (Some(1), integers([7])));
    assert!(!wire.call("ROLLBACK").await.in_transaction);
    assert_eq!(count(&mut wire).await, integers([2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_arrive_whole() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let values = vec![
        V::Null,
        V::Integer(i64::MIN),
        V::Float(-0.5),
        V::text("nul\0inside\0"),
        V::Blob(b"\0\xff".to_vec()),
    ];
    let sets = [Set::Positional(values.clone())];
    let ran = wire.call_with(ONE, "SELECT ?, ?, ?, ?, ?", &sets).await.unwrap();
    assert_eq!(ran.rows, [values]);
    let sets = [Set::Named(vec![("b", V::text("two")), ("a", V::Integer(1))])];
    let ran = wire.call_with(ONE, "SELECT :a, @b, $a", &sets).await.unwrap();
    assert_eq!(ran.rows, [[V::Integer(1), V::text("two"), V::Integer(1)]]);

    let sets = [1, 2, 3].map(|number| Set::Positional(vec![V::Integer(number)]));
    let ran = wire.call_with(MANY, "INSERT INTO t VALUES (?)", &sets).await.unwrap();
    assert_eq!(ran.changes, Some(3));
    wire.call_with(SCRIPT, "INSERT INTO t VALUES (4); DELETE FROM t WHERE n < 3", &[])
        .await
        .unwrap();
    assert_eq!(wire.call("SELECT n FROM t").await.rows, integers([3, 4]));
    let few = wire.call_with(ONE, "SELECT ?, ?", &[Set::Positional(vec![V::Null])]).await;
    assert_eq!(few.unwrap_err().code, 25);
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_results_are_read_side_by_side() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let three = Call { rows: 3, ..ONE };
    let first = wire.call_with(three, NUMBERS, &[]).await.unwrap();
    let second = wire.call_with(three, NUMBERS, &[]).await.unwrap();
    assert_eq!((&first.rows, &second.rows), (&integers(1..4), &integers(1..4)));
    let (first, second) = (first.cursor.unwrap(), second.cursor.unwrap());
    assert_ne!(first, second);
    assert_eq!(wire.fetch(first, 4).await.batch(1), (integers(4..8), true));
    assert_eq!(wire.fetch(second, 1).await.batch(1), (integers(4..5), true));
    let (rows, more) = wire.fetch(first, 100).await.batch(1);
    assert_eq!((rows, more), (integers(8..11), false));
    let gone = wire.fetch(first, 1).await.failure();
    assert_eq!(gone, Failure::new(21, "no result is being read"));
    assert_eq!(wire.fetch(second, 2).await.batch(1), (integers(5..7), true));
    // No batch is empty, whatever is asked for.
    assert_eq!(wire.fetch(second, 0).await.batch(1), (integers(7..8), true));
    wire.ask(ask::CLOSE, Body::new().u32(second).u32(0)).await.assert_empty();
    for kind in [ask::CLOSE, ask::FETCH] {
        let answer = wire.ask(kind, Body::new().u32(second).u32(0).u32(1).u32(1)).await;
        assert_eq!(answer.failure(), gone);
    }
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_call_and_not_its_transaction() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let mut other = server.calls().await;
    wire.call("BEGIN").await;
    wire.call("INSERT INTO t VALUES (1)").await;
    interrupted(&mut wire, ENDLESS_COUNT).await;
    assert!(wire.call("COMMIT").await.changes.is_none());
    assert_eq!(count(&mut other).await, integers([1]));
}

/// Runs a statement and stops it.
async fn interrupted(wire: &mut Wire, sql: &str) {
    wire.send(&ONE.frame(sql, &[])).await;
    wire.send(&interrupt()).await;
    assert_eq!(wire.next().await.failure(), Failure::new(9, "interrupted"), "{sql}");
    wire.next().await.assert_empty();
    wire.expect_in_step().await;
}

/// SQLite takes the whole transaction back when it stops a statement that writes, and leaves it as
/// it is when that has not begun yet. Either way the next answer tells how things are.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_write_leaves_of_its_transaction_is_told() {
    let server = Server::single().await;
    let mut wire = table(&server).await;
    let mut other = server.calls().await;
    for _ in 0..20 {
        wire.call("BEGIN").await;
        wire.call("INSERT INTO t VALUES (1)").await;
        interrupted(&mut wire, ENDLESS_INSERT).await;
        let told = wire.call_with(SCRIPT, "", &[]).await.unwrap().in_transaction;
        let found = count(&mut wire).await;
        assert_eq!(found, integers([i64::from(told)]));
        if told {
            wire.call("ROLLBACK").await;
        }
        other.call("DELETE FROM t").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_at_any_moment_is_answered_once() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?)
        SELECT count(*) FROM s";
    for round in 0..200 {
        wire.send(&ONE.frame(sql, &[Set::Positional(vec![V::Integer(1 + round * 20)])])).await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        wire.send(&interrupt()).await;
        match wire.next().await.ran() {
            Ok(ran) => assert_eq!(ran.rows, integers([1 + round * 20])),
            Err(failure) => assert_eq!(failure, Failure::new(9, "interrupted")),
        }
        wire.next().await.assert_empty();
        // It is not meant for what comes next.
        assert_eq!(wire.call("SELECT 1").await.rows, integers([1]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_fetch_and_a_wait_for_the_turn_to_write() {
    let server = Server::single().await;
    let (mut holder, mut wire) = (table(&server).await, server.calls().await);
    let one = Call { rows: 1, ..ONE };
    let endless = wire.call_with(one, ENDLESS_ROWS, &[]).await.unwrap();
    let cursor = endless.cursor.unwrap();
    let all = Body::new().u32(cursor).u32(0).u32(u32::MAX).u32(u32::MAX);
    wire.send(&frame(ask::FETCH, 0, &all)).await;
    wire.send(&interrupt()).await;
    let answer = wire.next().await;
    if answer.kind == say::FAILURE {
        assert_eq!(answer.failure(), Failure::new(9, "interrupted"));
    }
    wire.next().await.assert_empty();

    holder.call("BEGIN IMMEDIATE").await;
    wire.send(&ONE.frame("INSERT INTO t VALUES (1)", &[])).await;
    wire.send(&interrupt()).await;
    assert_eq!(wire.next().await.failure(), Failure::new(9, "interrupted"));
    wire.next().await.assert_empty();
    holder.call("COMMIT").await;
    wire.call("INSERT INTO t VALUES (2)").await;
    assert_eq!(count(&mut wire).await, integers([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_bounded_whatever_is_asked_for() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let endless = ENDLESS_ROWS.replace("SELECT i FROM", "SELECT zeroblob(1000000) FROM");
    let all = Call { rows: u32::MAX, bytes: u32::MAX, ..ONE };
    let ran = wire.call_with(all, &endless, &[]).await.unwrap();
    assert_eq!(ran.rows.len(), 17, "to the first row beyond 16 MiB");
    let all = Body::new().u32(ran.cursor.unwrap()).u32(0).u32(u32::MAX).u32(u32::MAX);
    let (rows, more) = wire.ask(ask::FETCH, all).await.batch(1);
    assert_eq!((rows.len(), more), (17, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_over_ends_a_call() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let short = Call { timeout_ms: 50, ..ONE };
    let failure = wire.call_with(short, ENDLESS_COUNT, &[]).await.unwrap_err();
    assert_eq!(failure, Failure::new(9, "timed out after 50 ms"));
    assert_eq!(wire.call("SELECT 1").await.rows, integers([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_leaves_no_lock() {
    let server = Server::single().await;
    let mut other = table(&server).await;
    for running in [None, Some(ENDLESS_COUNT), Some(ENDLESS_INSERT)] {
        let mut wire = server.calls().await;
        wire.call("BEGIN IMMEDIATE").await;
        wire.call("INSERT INTO t VALUES (1)").await;
        if let Some(sql) = running {
            wire.send(&ONE.frame(sql, &[])).await;
        }
        drop(wire);
        other.call("INSERT INTO t VALUES (2)").await;
    }
    assert_eq!(count(&mut other).await, integers([3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_one_session() {
    let server = Server::single().await;
    let open = Body::new().text("test").u64(0).text("");
    let taken = "a database for this connection is already open";
    let mut wire = server.calls().await;
    assert_eq!(wire.ask(ask::SESSION, session(0)).await.failure(), Failure::new(1, taken));
    assert_eq!(wire.ask(ask::OPEN, &open).await.failure(), Failure::new(1, taken));
    let failure = wire.fails("SELECT 1").await;
    assert_eq!(failure, Failure::new(12, "no database opened"));
    assert_eq!(wire.call("SELECT 1").await.rows, integers([1]));
    let mut wire = server.session().await;
    assert_eq!(wire.ask(ask::SESSION, session(0)).await.failure(), Failure::new(1, taken));
    wire.run("CREATE TABLE t (n)").await;

    let mut wire = server.connect().await;
    let none = Failure::new(12, "no session opened");
    assert_eq!(wire.call_fails("SELECT 1").await, none);
    for kind in [ask::FETCH, ask::CLOSE] {
        assert_eq!(wire.ask(kind, [0; 16]).await.failure(), none);
    }
    // What it could not open it may open now.
    let bad = Body::new().u64(0).u64(0).u64(0).u64(0).text("");
    assert_eq!(wire.ask(ask::SESSION, bad).await.failure().code, 1);
    assert_eq!(wire.ask(ask::SESSION, session(0)).await.kind, say::SESSION);
}

#[tokio::test(flavor = "multi_thread")]
async fn choices_that_do_not_exist_are_refused_and_the_connection_goes_on() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let place = wire.ask(ask::SESSION, session(2)).await.failure();
    assert_eq!(place, Failure::new(15, "bad format version"));
    let odd = [
        Call { kind: 3, ..ONE },
        Call { begin: 2, ..ONE },
        Call { consistency: (4, 0), ..ONE },
        Call { consistency: (u64::MAX, 0), ..ONE },
    ];
    for call in odd {
        let failure = wire.call_with(call, "SELECT 1", &[]).await.unwrap_err();
        assert_eq!(failure, Failure::new(15, "bad format version"), "{call:?}");
    }
    let set_kind = ONE.body_with(b"SELECT 1", b"\x01\0\0\0\x02\0\0\0\0");
    assert_eq!(wire.ask(ask::RUN, set_kind).await.failure().code, 15);
    let tag = ONE.body_with(b"SELECT ?", b"\x01\0\0\0\0\x01\0\0\0\x05");
    let failure = wire.ask(ask::RUN, tag).await.failure();
    assert_eq!(failure, Failure::new(1, "bind parameters"));
    // Texts with a NUL are not cut.
    assert!(wire.call_with(ONE, "SELECT 1\0; SELECT 2", &[]).await.is_err());
    assert_eq!(wire.call("SELECT 1").await.rows, integers([1]));
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_end_too_soon_close() {
    let server = Server::single().await;
    let run = ONE.body("SELECT 1", &[Set::Positional(Vec::new())]);
    let mut bodies: Vec<(u8, Body)> = (1..run.len() / 8)
        .map(|words| (ask::RUN, Body::new().bytes(&run[..8 * words])))
        // The last word holds nothing but padding.
        .collect();
    for parameters in [
        &b"\xff\xff\xff\xff"[..],
        b"\x01\0\0\0",
        b"\x01\0\0\0\0\xff\xff\xff\xff",
        b"\x01\0\0\0\x01\x01\0\0\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0\x01\0\0\0\x03\x01\0\0\0\xff",
    ] {
        bodies.push((ask::RUN, ONE.body_with(b"SELECT 1", parameters)));
    }
    bodies.push((ask::RUN, ONE.body_with(b"SELECT \xff", b"\0\0\0\0")));
    bodies.push((ask::SESSION, Body::new().u64(0).u64(0).u64(0).u64(0)));
    bodies.push((ask::FETCH, Body::new().u32(1).u32(0)));
    bodies.push((ask::OUTCOME, Body::new().u64(0).u64(0).u64(0).u64(0)));
    bodies.push((ask::WAIT, Body::new().u64(0)));
    bodies.push((ask::BACKUP, Body::new().u64(0)));
    for (kind, body) in bodies {
        let mut wire = server.calls().await;
        wire.send(&frame(kind, 0, &body)).await;
        wire.expect_close().await;
    }
    server.calls().await.expect_in_step().await;
}

/// Above the largest frame of dqlite's Python client, and of earlier versions.
#[tokio::test(flavor = "multi_thread")]
async fn large_values_pass_in_both_directions() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let blob: Vec<u8> = (0..100 << 20).map(|at: u32| (at / 7) as u8).collect();
    let sets = [Set::Positional(vec![V::Blob(blob.clone())])];
    let ran = wire.call_with(ONE, "SELECT ?", &sets).await.unwrap();
    assert!(ran.rows == [[V::Blob(blob)]]);
}
