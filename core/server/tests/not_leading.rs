//! What a node says that does not lead: not yet, or not any more.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use raw::cluster::three;
use raw::{Body, Failure, Server, V, Wire, ask, exec_sql, frame, query_sql, say};

fn data_requests() -> Vec<(u8, Body)> {
    vec![
        (ask::OPEN, Body::new().text("test").u64(0).text("")),
        (ask::PREPARE, Body::new().u64(0).text("SELECT 1")),
        (ask::EXEC, Body::new().u32(0).u32(0)),
        (ask::QUERY, Body::new().u32(0).u32(0)),
        (ask::EXEC_SQL, Body::new().u64(0).text("SELECT 1")),
        (ask::QUERY_SQL, Body::new().u64(0).text("SELECT 1")),
        // The lead is asked for before the database.
        (ask::EXEC_SQL, Body::new().u64(7).text("SELECT 1")),
    ]
}

async fn refuses_data(wire: &mut Wire) {
    for (kind, body) in data_requests() {
        let failure = wire.ask(kind, &body).await.failure();
        assert_eq!(failure, Failure::new(10250, "not leader"), "{kind}");
    }
    let failure = wire.ask(ask::FINALIZE, [0; 8]).await.failure();
    assert_eq!(failure, Failure::new(12, "no database opened"));
    wire.ask(ask::INTERRUPT, [0; 8]).await.assert_empty();
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_not_joined_knows_nothing_and_says_so() {
    let server = Server::lonely().await;
    assert_eq!(server.leader().await, (0, String::new()));
    let mut wire = server.connect().await;
    refuses_data(&mut wire).await;
    for (kind, body) in [
        (ask::ADD, Body::new().u64(2).text("127.0.0.1:9002")),
        (ask::ASSIGN, Body::new().u64(2).u64(0)),
        (ask::ASSIGN, Body::new().u64(9).u64(0)),
        (ask::REMOVE, Body::new().u64(2)),
        (ask::TRANSFER, Body::new().u64(0)),
        (ask::TRANSFER, Body::new().u64(9)),
    ] {
        let failure = wire.ask(kind, &body).await.failure();
        assert_eq!(failure, Failure::new(10250, "not leader"), "{body:?}");
    }
    assert_eq!(wire.ask(ask::DUMP, Body::new().text("test")).await.failure().code, 1002);
    for format in [0, 1] {
        let answer = wire.ask(ask::CLUSTER, Body::new().u64(format)).await;
        assert_eq!((answer.kind, answer.body), (say::SERVERS, vec![0; 8]));
    }
    wire.ask(ask::WEIGHT, Body::new().u64(5)).await.assert_empty();
    let answer = wire.ask(ask::DESCRIBE, [0; 8]).await;
    let metadata = Body::new().u64(0).u64(5);
    assert_eq!((answer.kind, answer.body), (say::METADATA, metadata.to_vec()));
    assert_eq!(wire.ask(ask::STATUS, [0; 8]).await.kind, say::STATUS);
    assert_eq!(wire.ask(ask::METRICS, [0; 8]).await.kind, say::METRICS);
    // A session of the old protocol has no id to say.
    let mut old = server.dial().await;
    old.send(&raw::HELLO_LEGACY).await;
    let answer = old.ask(ask::LEADER, [0; 8]).await;
    assert_eq!((answer.kind, answer.body), (say::SERVER, vec![0; 8]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_refuses_data() {
    let [_first, second, third] = three(|_| {}).await;
    for follower in [second, third] {
        refuses_data(&mut follower.connect().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_lead_and_its_connection_does_not() {
    let [first, second, _third] = three(|_| {}).await;
    let mut wire = first.session().await;
    wire.run("CREATE TABLE t (n)").await;
    wire.prepare("SELECT 1").await.unwrap();
    wire.run("BEGIN; INSERT INTO t VALUES (1)").await;
    first.connect().await.ask(ask::TRANSFER, Body::new().u64(2)).await.assert_empty();
    second.wait_leader(2).await;
    refuses_data(&mut wire).await;
    // The transaction is gone, on the new leader too, with its lock.
    let mut other = second.session().await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 0);
    other.run("INSERT INTO t VALUES (2)").await;
    second.connect().await.ask(ask::TRANSFER, Body::new().u64(1)).await.assert_empty();
    first.wait_leader(1).await;
    // It leads again, and the session is still over.
    let gone = Failure::new(12, "no database opened");
    for (kind, body) in data_requests().into_iter().skip(1) {
        assert_eq!(wire.ask(kind, &body).await.failure(), gone, "{kind}");
    }
    wire.open("test").await;
    let none = Failure::new(12, "no statement with the given id");
    assert_eq!(wire.ask(ask::EXEC, [0; 8]).await.failure(), none);
    wire.run("INSERT INTO t VALUES (3)").await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stop_with_the_lead() {
    let [first, second, _third] = three(|_| {}).await;
    let mut wire = first.session().await;
    let endless = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT i FROM s";
    wire.send(&query_sql(endless, &[])).await;
    assert_eq!(wire.next().await.kind, say::ROWS);
    let mut running = first.session().await;
    running.send(&query_sql(&endless.replace("SELECT i FROM", "SELECT max(i) FROM"), &[])).await;
    let transfer = async {
        first.connect().await.ask(ask::TRANSFER, Body::new().u64(2)).await.assert_empty();
        second.wait_leader(2).await;
    };
    let rest = async {
        loop {
            let answer = wire.next().await;
            if answer.kind != say::ROWS {
                break answer.failure();
            }
        }
    };
    let ((), failure) = tokio::join!(transfer, rest);
    assert_eq!(failure.code, 10250, "{failure:?}");
    assert_eq!(running.next().await.failure().code, 10250);
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_a_write_is_unknown_and_a_read_refused() {
    let [first, second, third] = three(|options| {
        options.engine.commit_timeout = Duration::from_millis(500);
    })
    .await;
    let mut wire = first.session().await;
    let mut reader = first.session().await;
    wire.run("CREATE TABLE t (n)").await;
    second.node.stop().await;
    third.node.stop().await;
    let failure = wire.exec("INSERT INTO t VALUES (?)", &[V::Integer(1)]).await.unwrap_err();
    assert_eq!(failure.code, 10506, "{failure:?}");
    assert!(failure.message.starts_with("leadership lost"), "{failure:?}");
    // It would tell of what may never be.
    let failure = reader.query("SELECT count(*) FROM t", &[]).await.unwrap_err();
    assert_eq!(failure.code, 10250, "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_ends_its_connections() {
    let server = Server::single().await;
    let (mut idle, mut waiting) = (server.session().await, server.session().await);
    let mut holder = server.session().await;
    holder.run("CREATE TABLE t (n); BEGIN IMMEDIATE").await;
    waiting.send(&exec_sql("INSERT INTO t VALUES (1)", &[])).await;
    waiting.send(&frame(ask::LEADER, 0, &[0; 8])).await;
    server.node.stop().await;
    for wire in [&mut idle, &mut waiting, &mut holder] {
        while let Some(answer) = wire.try_next().await {
            assert_ne!(answer.kind, say::RESULT, "nothing was written");
        }
    }
}
