//! The shell's binary against one node.

use crate::fixture::{Node, dqlite};

#[test]
fn statements_run_in_order_and_rows_are_shown() {
    let node = Node::start();
    let out = node.sql(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a);\n\
         INSERT INTO t(a) VALUES(NULL), (1.0), (X'00ff'), ('it''s; so');\n\
         SELECT * FROM t;",
    );
    assert_eq!(out.good(), "1|NULL\n2|1.0\n3|X'00FF'\n4|it's; so\n");
    assert_eq!(node.sql("SELECT count(*) FROM t").good(), "4\n");
    assert_eq!(node.sql("DELETE FROM t WHERE id > 2 RETURNING id").good(), "3\n4\n");
}

#[test]
fn every_mode_can_be_chosen() {
    let node = Node::start();
    let shown = |mode| node.run("shell", &["-c", "SELECT 1 AS a, 'x' AS b", "--mode", mode]).good();
    assert_eq!(shown("json"), "[{\"a\":1,\"b\":\"x\"}]\n");
    assert_eq!(shown("csv"), "a,b\n1,x\n");
    assert_eq!(shown("list"), "a|b\n1|x\n");
    assert_eq!(shown("line"), "a = 1\nb = x\n");
    assert!(shown("table").contains("│ 1 ┆ x │"));
}

#[test]
fn the_first_error_of_a_script_ends_it_with_status_1() {
    let node = Node::start();
    node.sql("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)").good();
    let failed =
        node.sql("INSERT INTO t VALUES(2); INSERT INTO t VALUES(1); INSERT INTO t VALUES(3)");
    let errors = failed.bad();
    assert!(errors.contains("2067 CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.a"), "{errors}");
    assert_eq!(node.sql("SELECT a FROM t ORDER BY a").good(), "1\n2\n");
    let errors = node.pipe("SELECT 1;\nSELEC 2;\nSELECT 3;\n").bad();
    assert!(errors.contains("1 ERROR: near \"SELEC\""), "{errors}");
    assert!(node.pipe(".nonsense\n").bad().contains("there is no .nonsense"));
}

#[test]
fn transactions_hold_one_connection() {
    let node = Node::start();
    node.sql("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1); ROLLBACK").good();
    assert_eq!(node.sql("SELECT count(*) FROM t").good(), "0\n");
    let out = node.pipe("BEGIN;\nINSERT INTO t VALUES(2);\nSELECT last_insert_rowid();\nCOMMIT;\n");
    assert!(out.good().ends_with("1\n"));
    // A script that ends inside its transaction leaves nothing behind.
    node.pipe("BEGIN;\nINSERT INTO t VALUES(3);\n").good();
    assert_eq!(node.sql("SELECT a FROM t").good(), "2\n");
}

#[test]
fn dot_commands_work_through_a_pipe() {
    let node = Node::start();
    let setup = "CREATE TABLE t(a);\nCREATE TRIGGER g AFTER INSERT ON t BEGIN\n SELECT 1;\nEND;\n";
    node.pipe(setup).good();
    assert!(node.pipe(".tables\n").good().contains("t|table"));
    let schema = node.pipe(".schema T\n").good();
    assert!(schema.starts_with("CREATE TABLE t(a);\nCREATE TRIGGER g "), "{schema}");
    assert!(node.pipe(".leader\n").good().ends_with(&format!(" {}\n", node.address)));
    assert!(node.pipe(".cluster\n").good().contains("voter"));
    assert!(node.pipe(".status\n").good().contains(&node.address));
    node.pipe(&format!(".weight {} 7\n", node.address)).good();
    assert!(node.pipe(&format!(".describe {}\n", node.address)).good().contains(" 7 "));
    let file = node.dir.path().join("script.sql");
    std::fs::write(&file, "SELECT 41 + 1;\n.quit\n").unwrap();
    let out = node.pipe(&format!(".headers off\n.read '{}'\nSELECT 'never';\n", file.display()));
    assert_eq!(out.good(), "42\n");
    let shown = node.pipe(".mode json\nSELECT 1 AS a;\n.mode list\n.headers off\nSELECT 2;\n");
    assert_eq!(shown.good(), "[{\"a\":1}]\n2\n");
}

#[test]
fn a_cluster_that_is_not_there_is_said_so() {
    let mut shell = dqlite();
    // Nobody listens on the port of the discard protocol.
    let shell =
        shell.args(["shell", "--servers", "127.0.0.1:9", "--timeout", "1", "-c", "SELECT 1"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("no leader"), "{errors}");
}
