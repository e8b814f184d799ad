//! Copies of a database in files of their own.

mod support;

use dqlite_vfs::TransactionState;
use support::*;

#[test]
fn a_copy_is_the_moment_at_which_it_was_begun() {
    let node = Node::new();
    let (mut writer, mut reader) = (node.connect(), node.connect());
    exec(&mut writer, "CREATE TABLE t (n, b)");
    exec(&mut writer, &fill(200, 1000));
    let before = content(&mut reader);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    reader.begin_copy(&path).unwrap();
    let mut steps = 0;
    while reader.step_copy(10).unwrap().remaining_pages > 0 {
        steps += 1;
        exec(&mut writer, "INSERT INTO t VALUES (0, 0)");
        node.database.checkpoint(node.database.position()).unwrap();
    }
    assert!(steps > 3);
    assert_eq!(reader.transaction_state().unwrap(), TransactionState::None, "it has let go");
    assert_ne!(content(&mut reader), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no files beside it");
    assert_eq!(std::fs::read(&path).unwrap()[18..20], [1, 1], "not in WAL mode");
    let copy = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = copy.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 200);
    let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_copy_that_ends_early_holds_nothing() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, "CREATE TABLE t (n, b)");
    exec(&mut connection, &fill(200, 1000));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(connection.step_copy(1).unwrap_err().message, "no copy was begun");
    connection.begin_copy(&dir.path().join("no/such/folder")).unwrap_err();
    assert!(connection.is_autocommit());
    connection.begin_copy(&dir.path().join("first")).unwrap();
    assert!(connection.step_copy(1).unwrap().remaining_pages > 0);
    connection.end_copy();
    assert!(connection.is_autocommit());
    connection.begin_copy(&dir.path().join("second")).unwrap();
    connection.step_copy(1).unwrap();
    drop(connection);
    assert_eq!(node.database.connection_count(), 0);
}
