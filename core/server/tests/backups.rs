//! BACKUP: a database in pieces, from one moment.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::path::Path;

use dqlite_env::Env;
use dqlite_server::{Node, NodeOptions};
use raw::cluster::three;
use raw::{Body, Failure, Server, Wire, ask, say};

fn ask_for(database: &str, offset_bytes: u64) -> Body {
    Body::new().u64(offset_bytes).text(database)
}

/// The files of backups and imports in a node's folder.
fn scratch(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("backup-") || name.starts_with("import-")).collect()
}

/// Three megabytes, so that there are several pieces.
async fn filled(server: &Server) -> Wire {
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)").await;
    wire.run(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)
         INSERT INTO t SELECT i, randomblob(1000) FROM s",
    )
    .await;
    wire
}

async fn rest_of_the_backup(wire: &mut Wire, mut image: Vec<u8>) -> Vec<u8> {
    loop {
        let answer = wire.ask(ask::BACKUP, ask_for("test", image.len() as u64)).await;
        let (total_bytes, piece) = answer.piece();
        assert!(!piece.is_empty());
        image.extend(piece);
        if image.len() as u64 == total_bytes {
            return image;
        }
    }
}

/// The number of rows in the table of a sound database.
fn check(image: &[u8]) -> i64 {
    first_number(image, "SELECT count(*) FROM t")
}

/// What the query gives in what must be a sound database.
fn first_number(image: &[u8], sql: &str) -> i64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), image).unwrap();
    let database = rusqlite::Connection::open(file.path()).unwrap();
    let verdict: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pieces_make_the_database_of_one_moment() {
    let server = Server::single().await;
    let mut writer = filled(&server).await;
    let mut wire = server.connect().await;
    let (total_bytes, first) = wire.ask(ask::BACKUP, ask_for("test", 0)).await.piece();
    assert!(total_bytes > 3_000_000 && first.len() == 1 << 20);
    assert_eq!(scratch(server.dir()).len(), 1);
    writer.run("DELETE FROM t WHERE n > 10; VACUUM").await;
    let image = rest_of_the_backup(&mut wire, first).await;
    assert_eq!(check(&image), 3000);
    assert_eq!(scratch(server.dir()).len(), 0, "the copy goes with the last piece");
    let after = rest_of_the_backup(&mut wire, Vec::new()).await;
    assert_eq!(check(&after), 10);
    assert!(after.len() < 1 << 20, "one piece");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_is_not_in_it_and_is_not_disturbed() {
    let server = Server::single().await;
    let mut wire = filled(&server).await;
    wire.run("BEGIN; DELETE FROM t").await;
    let image = rest_of_the_backup(&mut wire, Vec::new()).await;
    assert_eq!(check(&image), 3000);
    wire.run("COMMIT").await;
    assert_eq!(check(&rest_of_the_backup(&mut wire, Vec::new()).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_go_in_order() {
    let server = Server::single().await;
    filled(&server).await;
    let mut wire = server.connect().await;
    let refuse = async |wire: &mut Wire, database: &str, offset: u64, message: &str| {
        let failure = wire.ask(ask::BACKUP, ask_for(database, offset)).await.failure();
        assert_eq!(failure, Failure::new(1, message));
    };
    refuse(&mut wire, "test", 1 << 20, "a backup begins with offset 0").await;
    for (database, offset) in [("test", 1), ("test", 2 << 20), ("other", 1 << 20)] {
        wire.ask(ask::BACKUP, ask_for("test", 0)).await.piece();
        refuse(&mut wire, database, offset, "the piece does not follow the one before").await;
        // The copy is gone with it.
        refuse(&mut wire, "test", 1 << 20, "a backup begins with offset 0").await;
        assert_eq!(scratch(server.dir()).len(), 0);
    }
    let name = wire.ask(ask::BACKUP, ask_for("", 0)).await.failure();
    assert_eq!(name.code, 1, "{name:?}");
    assert_eq!(scratch(server.dir()).len(), 0);
    wire.expect_in_step().await;
}

/// A database that nobody has written to is there and empty, here as for a session.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_is_an_empty_file() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let (total_bytes, image) = wire.ask(ask::BACKUP, ask_for("new", 0)).await.piece();
    assert_eq!(image.len() as u64, total_bytes);
    assert_eq!(first_number(&image, "SELECT count(*) FROM sqlite_schema"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_goes_with_the_connection_and_with_the_start_of_the_node() {
    let server = Server::single().await;
    filled(&server).await;
    let mut wire = server.connect().await;
    wire.ask(ask::BACKUP, ask_for("test", 0)).await.piece();
    let chunk = Body::new().text("x").u64(4096).u64(0).blob(&[1, 2, 3]);
    wire.ask(ask::IMPORT, chunk).await.assert_empty();
    assert_eq!(scratch(server.dir()).len(), 2);
    wire.finish().await;
    wire.expect_close().await;
    assert_eq!(scratch(server.dir()).len(), 0);

    let dir = tempfile::tempdir().unwrap();
    for name in ["backup-0123", "import-4567", "backup-0123-journal"] {
        std::fs::write(dir.path().join(name), b"left behind by a crash").unwrap();
    }
    let mut options = NodeOptions::new(dir.path(), "127.0.0.1:9131");
    options.bind = Some("127.0.0.1:0".to_owned());
    let node = Node::start(Env::real(), options).await.unwrap();
    assert_eq!(scratch(dir.path()).len(), 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_gives_what_it_has_applied() {
    let [first, second, _third] = three(|_| {}).await;
    filled(&first).await;
    let index = first.connect().await.ask(ask::BARRIER, [0; 8]).await.index();
    let mut wire = second.connect().await;
    let applied = wire.ask(ask::WAIT, Body::new().u64(index).u64(0)).await;
    assert_eq!(applied.kind, say::INDEX);
    assert_eq!(check(&rest_of_the_backup(&mut wire, Vec::new()).await), 3000);
}
