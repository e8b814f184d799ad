//! The first bytes of a connection, and bytes that arrive as networks please.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Body, HELLO, HELLO_LEGACY, Server, V, Wire, ask, exec_sql, frame, query_sql, say};

/// What LEADER is answered with: node 1 at 127.0.0.1:9131.
const LEADER: &str = "03 00 00 00 01 00 00 00 | 01 00 00 00 00 00 00 00 | \
    31 32 37 2e 30 2e 30 2e | 31 3a 39 31 33 31 00 00";

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_gives_exactly_the_address_it_was_configured_with() {
    let server = Server::single().await;
    assert_ne!(server.node.listening_on(), raw::cluster::ADDRESS);
    let mut wire = server.connect().await;
    wire.expect("01 00 00 00 00 00 00 00 | 00 00 00 00 00 00 00 00", LEADER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_old_protocol_learns_the_address_alone() {
    let server = Server::single().await;
    let mut wire = server.dial().await;
    wire.send(&HELLO_LEGACY).await;
    wire.expect(
        "01 00 00 00 00 00 00 00 | 00 00 00 00 00 00 00 00",
        "02 00 00 00 01 00 00 00 | 31 32 37 2e 30 2e 30 2e | 31 3a 39 31 33 31 00 00",
    )
    .await;
    wire.open("test").await;
    wire.run("CREATE TABLE t (n)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_and_requests_may_come_in_one_segment() {
    let server = Server::single().await;
    let mut wire = server.dial().await;
    let mut bytes = HELLO.to_vec();
    bytes.extend(frame(ask::CLIENT, 0, &Body::new().u64(42)));
    bytes.extend(frame(ask::OPEN, 0, &Body::new().text("test").u64(0).text("")));
    bytes.extend(exec_sql("CREATE TABLE t (n)", &[]));
    bytes.extend(exec_sql("INSERT INTO t VALUES (?)", &[V::Integer(7)]));
    bytes.extend(query_sql("SELECT n FROM t", &[]));
    bytes.extend(frame(ask::INTERRUPT, 0, &[0; 8]));
    wire.send(&bytes).await;
    let welcome = wire.next().await;
    assert_eq!((welcome.kind, welcome.body), (say::WELCOME, 15_000u64.to_le_bytes().to_vec()));
    assert_eq!(wire.next().await.kind, say::DB);
    assert_eq!(wire.next().await.executed().unwrap(), (0, 0));
    assert_eq!(wire.next().await.executed().unwrap(), (1, 1));
    // The INTERRUPT may come in time to take the place of the end of the rows.
    let mut answer = wire.next().await;
    if answer.kind == say::ROWS {
        answer = wire.next().await;
    }
    answer.assert_empty();
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_may_come_one_by_one() {
    let server = Server::single().await;
    let mut wire = server.dial().await;
    let mut bytes = HELLO.to_vec();
    bytes.extend(frame(ask::LEADER, 0, &[0; 8]));
    bytes.extend(frame(ask::OPEN, 0, &Body::new().text("test").u64(0).text("volatile")));
    bytes.extend(query_sql("SELECT ?", &[V::text("h\u{e9}llo")]));
    for byte in bytes {
        wire.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.next().await.kind, say::SERVER);
    assert_eq!(wire.next().await.kind, say::DB);
    assert_eq!(wire.table().await.unwrap().rows, [[V::text("h\u{e9}llo")]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn header_and_body_may_come_apart() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    wire.send(&frame(ask::CLIENT, 0, &[0; 8])[..8]).await;
    tokio::task::yield_now().await;
    wire.send(&[0; 8]).await;
    assert_eq!(wire.next().await.kind, say::WELCOME);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_without_waiting_are_answered_in_order() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (n INTEGER PRIMARY KEY)").await;
    let mut bytes = Vec::new();
    for number in 1..=500 {
        bytes.extend(exec_sql("INSERT INTO t VALUES (?)", &[V::Integer(number)]));
        bytes.extend(query_sql("SELECT max(n), ? FROM t", &[V::Integer(number)]));
    }
    wire.send(&bytes).await;
    for number in 1..=500 {
        assert_eq!(wire.next().await.executed().unwrap(), (number, 1));
        let row = vec![V::Integer(number), V::Integer(number)];
        assert_eq!(wire.table().await.unwrap().rows, [row]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_first_word_closes() {
    let server = Server::single().await;
    for word in [0u64, 2, u64::MAX, 0x8610_4dd7_6043_3fe6] {
        let mut wire = server.dial().await;
        wire.send(&word.to_le_bytes()).await;
        wire.expect_close().await;
    }
    // Less than a word is no hello either.
    let mut wire = server.dial().await;
    wire.send(&HELLO[..7]).await;
    wire.finish().await;
    wire.expect_close().await;
    server.connect().await.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_can_be_reached_through_a_unix_socket() {
    let address = raw::cluster::unused_address();
    let server = Server::start(1, &address, None, |_| {}).await;
    server.node.ready().await.unwrap();
    let mut wire = Wire::dial(&address).await;
    wire.send(&HELLO).await;
    wire.open("test").await;
    assert_eq!(server.leader().await, (1, address));
}
