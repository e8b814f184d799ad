//! WAIT, BARRIER and OUTCOME, and sessions that read on a node that does not lead.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use raw::calls::{Call, ONE, Set, session, session_of};
use raw::cluster::three;
use raw::{Answer, Body, Failure, Server, V, Wire, ask, frame, interrupt, say};

fn not_leader() -> Failure {
    Failure::new(10250, "not leader")
}

fn wait(index: u64, timeout_ms: u64) -> Body {
    Body::new().u64(index).u64(timeout_ms)
}

async fn barrier(wire: &mut Wire) -> Answer {
    wire.ask(ask::BARRIER, [0; 8]).await
}

/// A session that reads on this node.
async fn here(server: &Server) -> Wire {
    let mut wire = server.connect().await;
    let answer = wire.ask(ask::SESSION, session(1)).await;
    assert_eq!(answer.kind, say::SESSION, "{answer:02x?}");
    wire
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_covers_all_that_was_acknowledged() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    wire.call("CREATE TABLE t (n)").await;
    for number in 0..20 {
        let insert = format!("INSERT INTO t VALUES ({number})");
        let written = wire.call(&insert).await.index;
        let index = barrier(&mut wire).await.index();
        assert!(index >= written, "{index} {written}");
        assert!(wire.ask(ask::WAIT, wait(index, 0)).await.index() >= index);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_time_an_interrupt_or_the_index() {
    let server = Server::single().await;
    let mut wire = server.calls().await;
    let index = barrier(&mut wire).await.index();
    let late = wire.ask(ask::WAIT, wait(index + 1000, 50)).await.failure();
    assert_eq!(late, Failure::new(9, "timed out after 50 ms"));
    wire.send(&frame(ask::WAIT, 0, &wait(u64::MAX, u64::MAX))).await;
    wire.send(&interrupt()).await;
    assert_eq!(wire.next().await.failure(), Failure::new(9, "interrupted"));
    wire.next().await.assert_empty();
    wire.expect_in_step().await;

    let mut waiting = server.connect().await;
    waiting.send(&frame(ask::WAIT, 0, &wait(index + 2, 0))).await;
    wire.call("CREATE TABLE t (n)").await;
    wire.call("INSERT INTO t VALUES (1)").await;
    assert!(waiting.next().await.index() >= index + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_serves_readers_and_says_where_it_is() {
    let [first, second, third] = three(|_| {}).await;
    let mut writer = first.calls().await;
    writer.call("CREATE TABLE t (n)").await;
    for follower in [&second, &third] {
        let mut wire = follower.connect().await;
        assert_eq!(barrier(&mut wire).await.failure(), not_leader());
        assert_eq!(wire.ask(ask::SESSION, session(0)).await.failure(), not_leader());

        let written = writer.call("INSERT INTO t VALUES (1)").await.index;
        let mut reader = here(follower).await;
        let at_least = Call { consistency: (2, written), ..ONE };
        let read = reader.call_with(at_least, "SELECT count(*) FROM t", &[]).await.unwrap();
        let rows = &writer.call("SELECT count(*) FROM t").await.rows;
        assert_eq!(&read.rows, rows);
        assert!(read.index >= written);
        assert!(reader.ask(ask::WAIT, wait(written, 0)).await.index() >= written);

        for sql in ["INSERT INTO t VALUES (9)", "CREATE TABLE u (n)", "BEGIN IMMEDIATE"] {
            assert_eq!(reader.call_fails(sql).await.code, 10250, "{sql}");
        }
        let some_time = Call { consistency: (3, u64::MAX), ..ONE };
        let sql = "SELECT ?1 + 1";
        let sets = [Set::Positional(vec![V::Integer(1)])];
        let read = reader.call_with(some_time, sql, &sets).await.unwrap();
        assert_eq!(read.rows, [[V::Integer(2)]]);
    }
    assert_eq!(writer.call("SELECT count(*) FROM t WHERE n = 9").await.rows, [[V::Integer(0)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_followers_confirms_nothing() {
    let [first, second, third] = three(|options| {
        options.election_min = Duration::from_millis(300);
        options.election_max = Duration::from_millis(600);
    })
    .await;
    let mut wire = first.calls().await;
    second.node.stop().await;
    third.node.stop().await;
    // For as long as its lease lasts it is certain.
    let failure = loop {
        wire.send(&frame(ask::BARRIER, 0, &[0; 8])).await;
        wire.send(&interrupt()).await;
        let answer = wire.next().await;
        wire.next().await.assert_empty();
        if answer.kind == say::FAILURE {
            break answer.failure();
        }
        answer.index();
    };
    assert!([9, 10250].contains(&failure.code), "{failure:?}");
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_lead_and_its_connection_does_not() {
    let [first, second, _third] = three(|_| {}).await;
    let mut wire = first.calls().await;
    wire.call("CREATE TABLE t (n)").await;
    wire.call("BEGIN").await;
    wire.call("INSERT INTO t VALUES (1)").await;
    first.connect().await.ask(ask::TRANSFER, Body::new().u64(2)).await.assert_empty();
    second.wait_leader(2).await;
    assert_eq!(wire.call_fails("INSERT INTO t VALUES (2)").await.code, 10250);
    let mut other = second.calls().await;
    other.call("INSERT INTO t VALUES (3)").await;
    assert_eq!(other.call("SELECT sum(n) FROM t").await.rows, [[V::Integer(3)]]);
    // The connection may have a new session in the old one's place.
    assert_eq!(wire.ask(ask::SESSION, session(1)).await.kind, say::SESSION);
    assert_eq!(wire.call("SELECT 1").await.rows, [[V::Integer(1)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_commit_can_be_asked() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let opened = wire.ask(ask::SESSION, session_of(0, 42)).await;
    let since = raw::body::Reader::new(&opened.body[8..]).u64();
    wire.call("CREATE TABLE t (n)").await;
    let marked = |mark| Call { mark, ..ONE };
    let ran = wire.call_with(marked(7), "INSERT INTO t VALUES (1)", &[]).await.unwrap();
    wire.call("BEGIN").await;
    wire.call_with(marked(8), "INSERT INTO t VALUES (2)", &[]).await.unwrap();

    let mut asking = server.connect().await;
    let ask_for = |mark: u64, since: u64, client: u64| {
        Body::new().u64(mark).u64(since).u64(client).u64(0).text("test")
    };
    let outcome = async |asking: &mut Wire, body: Body| {
        let answer = asking.ask(ask::OUTCOME, body).await;
        assert_eq!((answer.kind, answer.body.len()), (say::OUTCOME, 16), "{answer:02x?}");
        let mut reader = raw::body::Reader::new(&answer.body);
        (reader.u64(), reader.u64())
    };
    assert_eq!(outcome(&mut asking, ask_for(7, since, 42)).await, (1, ran.index));
    // It has none, and never will: the session is at an end.
    assert_eq!(outcome(&mut asking, ask_for(8, since, 42)).await, (0, 0));
    assert!(wire.call_with(marked(8), "COMMIT", &[]).await.is_err());
    assert_eq!(outcome(&mut asking, ask_for(1, since, 43)).await, (0, 0));
    let mut reader = server.calls().await;
    assert_eq!(reader.call("SELECT count(*) FROM t").await.rows, [[V::Integer(1)]]);
    asking.expect_in_step().await;
}
