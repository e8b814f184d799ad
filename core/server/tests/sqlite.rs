//! SQLite's own features, through the protocol.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Server, V, Wire};

async fn check(wire: &mut Wire) {
    assert_eq!(wire.rows("PRAGMA integrity_check").await, [[V::text("ok")]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_text_json_and_r_trees() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run(
        "CREATE VIRTUAL TABLE notes USING fts5(body);
         INSERT INTO notes VALUES ('the quick brown fox'), ('a lazy dog');
         CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
         INSERT INTO boxes VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6)",
    )
    .await;
    let rows = wire.rows("SELECT rowid, body FROM notes WHERE notes MATCH 'fox'").await;
    assert_eq!(rows, [[V::Integer(1), V::text("the quick brown fox")]]);
    assert_eq!(wire.number("SELECT id FROM boxes WHERE x0 > 4").await, 2);
    let rows = wire.rows("SELECT value, json('{\"a\": [1]}') ->> '$.a[0]' FROM json_each('[7]')");
    assert_eq!(rows.await, [[V::Integer(7), V::Integer(1)]]);
    check(&mut wire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_belong_to_their_session() {
    let server = Server::single().await;
    let (mut wire, mut other) = (server.session().await, server.session().await);
    wire.run("CREATE TEMP TABLE mine (n); INSERT INTO mine VALUES (1); CREATE TABLE t (n)").await;
    wire.run("BEGIN; INSERT INTO mine VALUES (2); INSERT INTO t SELECT n FROM mine; COMMIT").await;
    assert_eq!(wire.number("SELECT sum(n) FROM mine").await, 3);
    assert_eq!(other.number("SELECT sum(n) FROM t").await, 3);
    assert_eq!(other.fails("SELECT * FROM mine").await.code, 1);
    wire.run("ATTACH '' AS scratch; CREATE TABLE scratch.u (n); DETACH scratch").await;
    check(&mut other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_views_savepoints_and_upserts() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run(
        "CREATE TABLE t (k PRIMARY KEY, n); CREATE TABLE log (what);
         CREATE VIEW big AS SELECT * FROM t WHERE n > 10;
         CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('+' || new.k); END;
         SAVEPOINT a; INSERT INTO t VALUES ('x', 1); SAVEPOINT b; INSERT INTO t VALUES ('y', 2);
         ROLLBACK TO b; RELEASE a;
         INSERT INTO t VALUES ('x', 5) ON CONFLICT (k) DO UPDATE SET n = n + excluded.n * 10",
    )
    .await;
    assert_eq!(wire.rows("SELECT * FROM big").await, [[V::text("x"), V::Integer(51)]]);
    assert_eq!(wire.rows("SELECT what FROM log").await, [[V::text("+x")]]);
    let counts =
        wire.run("CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END");
    counts.await;
    let failure = wire.fails("DELETE FROM t").await;
    assert_eq!((failure.code, failure.message.as_str()), (1811, "no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_gives_room_back() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (b); PRAGMA user_version = 7").await;
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 500)
        INSERT INTO t SELECT randomblob(4000) FROM s";
    wire.run(sql).await;
    let before = wire.number("PRAGMA page_count").await;
    wire.run("DELETE FROM t WHERE rowid > 10").await;
    wire.run("VACUUM").await;
    let after = wire.number("PRAGMA page_count").await;
    assert!(after < before / 10, "{before} -> {after}");
    assert_eq!(wire.number("PRAGMA user_version").await, 7);
    check(&mut wire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_30_mib() {
    let server = Server::single().await;
    let (mut wire, mut other) = (server.session().await, server.session().await);
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 7680)
        INSERT INTO t SELECT i, randomblob(4000) FROM s";
    wire.run(&format!("CREATE TABLE t (n INTEGER PRIMARY KEY, b); BEGIN; {sql}")).await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 0);
    wire.run("COMMIT").await;
    assert_eq!(other.number("SELECT count(*) FROM t").await, 7680);
    wire.run("BEGIN; DELETE FROM t WHERE n % 2; ROLLBACK").await;
    assert_eq!(other.number("SELECT count(DISTINCT b) FROM t").await, 7680);
    check(&mut other).await;
}
