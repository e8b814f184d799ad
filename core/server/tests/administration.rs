//! Requests about the node and its cluster: dqlite's, and our own.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::collections::BTreeMap;
use std::time::Duration;

use raw::body::Reader;
use raw::cluster::{members, three, unused_address};
use raw::{Answer, Body, Failure, Server, V, Wire, ask, frame, say};

/// The members that CLUSTER lists: ids, addresses and roles.
fn listed(answer: &Answer) -> Vec<(u64, String, u64)> {
    assert_eq!(answer.kind, say::SERVERS);
    let mut reader = Reader::new(&answer.body);
    let count = reader.u64();
    let list = (0..count).map(|_| (reader.u64(), reader.text(), reader.u64())).collect();
    assert!(reader.is_empty());
    list
}

fn id_and(id: u64, address: &str) -> Body {
    Body::new().u64(id).text(address)
}

/// The files that DUMP gives.
fn files(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    assert_eq!(answer.kind, say::FILES, "{:?}", answer.body.get(..64));
    let mut reader = Reader::new(&answer.body);
    let count = reader.u64();
    let mut files = Vec::new();
    for _ in 0..count {
        let (name, size) = (reader.text(), reader.u64() as usize);
        files.push((name, reader.take(size).to_vec()));
    }
    assert!(reader.is_empty());
    files
}

/// What SQLite, and nothing of ours, reads in a database file.
fn read_file(content: &[u8], sql: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let sqlite = rusqlite::Connection::open(file.path()).unwrap();
    let check: String = sqlite.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    sqlite.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Whether the node's copy of `test` holds one row yet.
async fn dumped_hello(wire: &mut Wire) -> bool {
    let answer = wire.ask(ask::DUMP, Body::new().text("test")).await;
    if answer.kind != say::FILES {
        assert_eq!(answer.failure().code, 1002);
        return false;
    }
    let image = &files(&answer)[0].1;
    read_file(image, "SELECT count(*) || '' FROM sqlite_schema") == "1"
        && read_file(image, "SELECT count(b) || '' FROM t") == "1"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_a_file_that_sqlite_opens_and_an_empty_wal() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let dump = |name: &str| frame(ask::DUMP, 0, &Body::new().text(name));
    let missing = Failure::new(1002, "database does not exists");
    for name in ["test", "other", "", "x/y", &"x".repeat(2000)] {
        wire.send(&dump(name)).await;
        assert_eq!(wire.next().await.failure(), missing, "{name:?}");
    }
    wire.run("CREATE TABLE t (b); INSERT INTO t VALUES ('hello')").await;
    for size in [0, 3_000_000] {
        wire.exec("INSERT INTO t VALUES (zeroblob(?))", &[V::Integer(size)]).await.unwrap();
        let mut other = server.session().await;
        other.run("BEGIN; INSERT INTO t VALUES ('not committed')").await;
        wire.send(&dump("test")).await;
        let files = files(&wire.next().await);
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["test", "test-wal"]);
        assert!(files[0].1.starts_with(b"SQLite format 3\0"));
        assert!(files[1].1.is_empty());
        let sql = "SELECT group_concat(b) FROM t WHERE typeof(b) = 'text'";
        assert_eq!(read_file(&files[0].1, sql), "hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_added_assigned_and_removed() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let list = frame(ask::CLUSTER, 0, &Body::new().u64(1));
    let itself = (1, raw::cluster::ADDRESS.to_owned(), 0);
    let other = (2, unused_address(), 2);
    wire.ask(ask::ADD, id_and(2, &other.1)).await.assert_empty();
    wire.send(&list).await;
    assert_eq!(listed(&wire.next().await), [itself.clone(), other.clone()]);
    let words = |words: &[u64]| words.iter().fold(Body::new(), |body, word| body.u64(*word));
    for (kind, body, message) in [
        (ask::ADD, id_and(2, &unused_address()), "server ID already in use"),
        (ask::ADD, id_and(1, &unused_address()), "server ID already in use"),
        (ask::ADD, id_and(3, &other.1), "server address already in use"),
        (ask::ADD, id_and(3, raw::cluster::ADDRESS), "server address already in use"),
        (ask::ASSIGN, words(&[2, 2]), "server role is not valid"),
        (ask::ASSIGN, words(&[1, 0]), "server role is not valid"),
        (ask::ASSIGN, words(&[1]), "server role is not valid"),
        (ask::ASSIGN, words(&[2, 3]), "server role is not valid"),
        (ask::ASSIGN, words(&[7, 1]), "Resource not found"),
        (ask::ASSIGN, words(&[7, 0]), "Resource not found"),
        (ask::REMOVE, words(&[7]), "server ID is not valid"),
        (ask::TRANSFER, words(&[1]), "server ID is not valid"),
        (ask::TRANSFER, words(&[2]), "server ID is not valid"),
        (ask::TRANSFER, words(&[7]), "server ID is not valid"),
        (ask::TRANSFER, words(&[0]), "leadership transfer failed"),
    ] {
        assert_eq!(wire.ask(kind, &body).await.failure(), Failure::new(1, message), "{body:?}");
    }
    for body in [id_and(0, "127.0.0.1:1"), id_and(3, ""), id_and(3, &"x".repeat(5000))] {
        assert_eq!(wire.ask(ask::ADD, &body).await.failure().code, 1);
    }
    wire.ask(ask::ASSIGN, words(&[2, 1])).await.assert_empty();
    wire.send(&list).await;
    assert_eq!(listed(&wire.next().await), [itself.clone(), (2, other.1, 1)]);
    wire.ask(ask::REMOVE, words(&[2])).await.assert_empty();
    wire.send(&list).await;
    assert_eq!(listed(&wire.next().await), [itself]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_at_a_time() {
    let [first, second, third] = three(|_| {}).await;
    let (mut one, mut two) = (first.connect().await, first.connect().await);
    second.node.stop().await;
    third.node.stop().await;
    // Without the others no change comes to its end, so one of these finds the other under way.
    one.send(&frame(ask::ADD, 0, &id_and(4, &unused_address()))).await;
    two.send(&frame(ask::ADD, 0, &id_and(5, &unused_address()))).await;
    let answer = tokio::select! {
        answer = one.next() => answer,
        answer = two.next() => answer,
    };
    assert_eq!(answer.failure().code, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_handed_over() {
    let [first, second, third] = three(|_| {}).await;
    let mut wire = first.connect().await;
    wire.ask(ask::TRANSFER, Body::new().u64(2)).await.assert_empty();
    second.wait_leader(2).await;
    let transfer = Body::new().u64(0);
    assert_eq!(wire.ask(ask::TRANSFER, &transfer).await.failure().code, 10250);
    let mut session = second.session().await;
    session.run("CREATE TABLE t (n)").await;
    session.ask(ask::TRANSFER, transfer).await.assert_empty();
    assert_ne!(second.leader().await.0, 2);
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_gives_up_its_own_place() {
    let [first, second, third] = three(|options| {
        options.election_min = Duration::from_millis(500);
        options.election_max = Duration::from_millis(1000);
    })
    .await;
    // The first is whichever leads by now.
    let leader = first.leader().await.0;
    let all = [&first, &second, &third];
    let server = all.into_iter().find(|server| server.node.id() == leader).unwrap();
    server.connect().await.ask(ask::REMOVE, Body::new().u64(leader)).await.assert_empty();
    let other = all.into_iter().find(|server| server.node.id() != leader).unwrap();
    // The others go on.
    let next = async {
        loop {
            match other.leader().await.0 {
                0 => tokio::time::sleep(Duration::from_millis(5)).await,
                id if id == leader => tokio::time::sleep(Duration::from_millis(5)).await,
                id => break id,
            }
        }
    };
    let next = tokio::time::timeout(raw::DEADLINE, next).await.unwrap();
    let other = all.into_iter().find(|server| server.node.id() == next).unwrap();
    other.wait_leader(next).await;
    let mut wire = other.connect().await;
    let list = listed(&wire.ask(ask::CLUSTER, Body::new().u64(1)).await);
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|(id, _, _)| *id != leader));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_refuse_changes_and_still_tell_and_dump() {
    let [first, second, third] = members([0, 1], |_| {}).await;
    let mut session = first.session().await;
    session.run("CREATE TABLE t (b); INSERT INTO t VALUES ('hello')").await;
    let not_leader = Failure::new(10250, "not leader");
    for follower in [&second, &third] {
        let mut wire = follower.connect().await;
        for (kind, body) in [
            (ask::ADD, id_and(9, &unused_address())),
            (ask::ASSIGN, Body::new().u64(2).u64(1)),
            (ask::ASSIGN, Body::new().u64(3)),
            (ask::REMOVE, Body::new().u64(2)),
            (ask::TRANSFER, Body::new().u64(0)),
            (ask::TRANSFER, Body::new().u64(2)),
            (ask::OPEN, Body::new().text("test").u64(0).text("")),
            (ask::EXEC_SQL, Body::new().u64(0).text("DELETE FROM t")),
            (ask::IMPORT, Body::new().text("test").u64(8).u64(0).blob(&[0; 8])),
        ] {
            assert_eq!(wire.ask(kind, &body).await.failure(), not_leader, "{body:?}");
        }
        let list = listed(&wire.ask(ask::CLUSTER, Body::new().u64(1)).await);
        let roles: Vec<_> = list.iter().map(|(id, _, role)| (*id, *role)).collect();
        assert_eq!(roles, [(1, 0), (2, 0), (3, 1)]);
        // Its copy may lag behind.
        let caught_up = async {
            while !dumped_hello(&mut wire).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(raw::DEADLINE, caught_up).await.unwrap();
    }
    // Only a voter says who leads.
    assert_eq!(second.leader().await, (1, first.node.address().to_owned()));
    assert_eq!(third.leader().await, (0, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_its_state_and_its_counters() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (n); INSERT INTO t VALUES (1)").await;
    let answer = wire.ask(ask::STATUS, [0; 8]).await;
    assert_eq!(answer.kind, say::STATUS);
    let mut reader = Reader::new(&answer.body);
    let [id, role, leader, term, last, commit, applied] = [0; 7].map(|_: u64| reader.u64());
    assert_eq!((id, role, leader), (1, 0, 1));
    assert!(term > 0 && applied > 1 && commit >= applied && last >= commit, "{answer:?}");
    assert_eq!((reader.u64(), reader.text()), (1, "test".to_owned()));
    assert_eq!(reader.u64(), applied);
    let (checkpoint, pages) = (reader.u64(), reader.u64());
    assert!(checkpoint <= applied);
    assert_eq!((pages, reader.is_empty()), (2, true));
    let answer = wire.ask(ask::METRICS, [0; 8]).await;
    assert_eq!(answer.kind, say::METRICS);
    let mut reader = Reader::new(&answer.body);
    let count = reader.u64();
    let metrics: BTreeMap<_, _> = (0..count).map(|_| (reader.text(), reader.u64())).collect();
    assert!(reader.is_empty());
    assert_eq!(metrics["engine.databases"], 1);
    assert_eq!(metrics["raft.term"], term);
    assert!(metrics["log.flushes"] > 0 && metrics["log.bytes"] > 4096, "{metrics:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_a_database() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let sqlite = rusqlite::Connection::open(file.path()).unwrap();
    let sql =
        "CREATE TABLE t (n INTEGER PRIMARY KEY, b); WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL
        SELECT i + 1 FROM s WHERE i < 100) INSERT INTO t SELECT i, randomblob(3000) FROM s";
    sqlite.execute_batch(sql).unwrap();
    drop(sqlite);
    let content = std::fs::read(file.path()).unwrap();
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let chunk = |name: &str, total: usize, offset: usize, piece: &[u8]| {
        let body = Body::new().text(name).u64(total as u64).u64(offset as u64);
        frame(ask::IMPORT, 0, &body.blob(piece))
    };
    let total = content.len();
    for (number, piece) in content.chunks(100_000).enumerate() {
        wire.send(&chunk("shop", total, number * 100_000, piece)).await;
        wire.next().await.assert_empty();
    }
    wire.open("shop").await;
    assert_eq!(wire.number("SELECT count(DISTINCT b) FROM t").await, 100);
    // What does not fit is refused, and what was there stays.
    for (requests, code) in [
        (vec![chunk("shop", 8192, 4096, &[0; 4096])], 1),
        (vec![chunk("shop", 8192, 0, &[0; 4096]), chunk("shop", 8192, 0, &[0; 8193])], 1),
        (vec![chunk("shop", 8192, 0, &[1; 8192])], 26),
        (vec![chunk("shop", total, 0, &content[..8]), chunk("other", total, 8, &[0; 8])], 1),
        (vec![chunk("shop", 4096, 0, &content[..4096])], 11),
    ] {
        let mut answers = Vec::new();
        for request in requests {
            wire.send(&request).await;
            answers.push(wire.next().await);
        }
        let failure = answers.last().unwrap().failure();
        assert_eq!(failure.code, code, "{failure:?}");
    }
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 100);
}
