//! Alone in its binary, since it counts what the process has open.

mod support;

use dqlite_vfs::open_database_count;
use support::*;

#[test]
fn databases_leave_the_registry() {
    let (node, other) = (Node::new(), Node::new());
    assert_eq!(open_database_count(), 2);
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    connection.prepare("SELECT * FROM t").unwrap().unwrap();
    let clone = node.database.clone();
    drop((node, other));
    assert_eq!(open_database_count(), 1);
    drop(clone);
    assert_eq!(open_database_count(), 1, "the connection keeps its database");
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    drop(connection);
    assert_eq!(open_database_count(), 0);
}
