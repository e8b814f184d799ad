//! The other commands against one node.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rusqlite::Connection;

use crate::fixture::{Node, dqlite, free_address};

#[test]
fn a_node_stops_cleanly_and_keeps_its_data() {
    let mut node = Node::start();
    node.sql("CREATE TABLE t(a); INSERT INTO t VALUES(7)").good();
    node.restart();
    assert_eq!(node.sql("SELECT a FROM t").good(), "7\n");
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn a_node_can_end_with_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = dqlite();
    node.arg("node").arg("--dir").arg(dir.path()).args(["--address", &free_address()]);
    node.arg("--until-stdin-ends").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line:?}");
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_node_that_cannot_start_says_why() {
    let node = Node::start();
    let dir = node.dir.path().join("other");
    let mut second = dqlite();
    second.arg("node").arg("--dir").arg(&dir).args(["--address", &node.address]);
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains(&format!("cannot listen on {}", node.address)), "{errors}");
}

#[test]
fn a_file_is_imported_and_dumped_whole() {
    let node = Node::start();
    let file = node.dir.path().join("a.sqlite");
    let source = Connection::open(&file).unwrap();
    source
        .execute_batch(
            "CREATE TABLE t(a, b); CREATE INDEX i ON t(b);
             WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000)
             INSERT INTO t SELECT x, hex(randomblob(50)) FROM n;
             DELETE FROM t WHERE a % 7 = 0;",
        )
        .unwrap();
    let content = "SELECT group_concat(rowid || a || b) FROM t";
    let ask = |connection: &Connection| {
        connection.query_row(content, [], |row| row.get::<_, String>(0)).unwrap()
    };

    let import = || node.run("import", &["a.sqlite", "--database", "app"]);
    let told = import();
    assert_eq!(told.status, Some(0), "{}", told.errors);
    assert!(told.out.contains("rowids stay") && told.out.contains("17143 rows in 1 tables"));
    assert_eq!(node.sql("SELECT count(*) FROM t").good(), "17143\n");
    assert!(import().bad().contains("--replace"));

    node.run("dump", &["--database", "app", "b.sqlite"]).good();
    let dump = Connection::open(node.dir.path().join("b.sqlite")).unwrap();
    assert!(ask(&source) == ask(&dump), "the dump differs");
    let check: String = dump.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let again = node.run("dump", &["--database", "app", "b.sqlite"]).bad();
    assert!(again.contains("--force"), "{again}");
    node.run("dump", &["--database", "app", "b.sqlite", "--force"]).good();

    node.sql("CREATE TABLE more(a)").good();
    let replaced = node.run("import", &["a.sqlite", "--database", "app", "--replace"]);
    assert_eq!(replaced.status, Some(0), "{}", replaced.errors);
    assert_eq!(node.sql("SELECT count(*) FROM sqlite_schema").good(), "2\n");
}

#[test]
fn what_cannot_be_imported_or_dumped_is_refused() {
    let node = Node::start();
    std::fs::write(node.dir.path().join("text"), "no database at all").unwrap();
    let refused = node.run("import", &["text", "--database", "app"]).bad();
    assert!(refused.contains("text is not an SQLite database"), "{refused}");
    let refused = node.run("import", &["missing", "--database", "app"]).bad();
    assert!(refused.contains("cannot read missing"), "{refused}");
    let refused = node.run("dump", &["--database", "nothing", "c.sqlite"]).bad();
    assert!(refused.contains("database does not exists"), "{refused}");
    assert!(!node.dir.path().join("c.sqlite").exists());
}

#[test]
fn members_come_and_go() {
    let node = Node::start();
    assert!(node.run("cluster", &["list"]).good().contains("voter"));
    assert!(node.run("cluster", &["leader"]).good().contains(&node.address));
    node.run("cluster", &["add", "77", "127.0.0.1:9"]).good();
    let members = node.run("cluster", &["list"]).good();
    assert!(members.contains("spare") && members.contains("127.0.0.1:9"), "{members}");
    assert!(node.run("status", &[]).good().contains("unreachable"));
    node.run("cluster", &["remove", "77"]).good();
    assert!(!node.run("cluster", &["list"]).good().contains("127.0.0.1:9"));
    assert!(node.run("cluster", &["remove", "77"]).bad().contains("server ID is not valid"));
    assert!(node.run("cluster", &["assign", "77", "boss"]).status == Some(2));
}
