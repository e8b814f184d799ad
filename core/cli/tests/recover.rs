//! The command that works on the files of a stopped node.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn dqlite(arguments: &[&str]) -> Command {
    let mut dqlite = Command::new(env!("CARGO_BIN_EXE_dqlite"));
    dqlite.args(arguments);
    dqlite
}

fn run(arguments: &[&str]) -> Output {
    dqlite(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(all).unwrap()
}

/// A node that stops when its input ends.
fn start(dir: &Path, address: &str) -> Child {
    let arguments = ["node", "--until-stdin-ends", "--id", "5", "--address", address, "--dir"];
    let mut node = dqlite(&arguments)
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    node
}

fn stop(mut node: Child) {
    drop(node.stdin.take());
    assert!(node.wait().unwrap().success());
}

#[test]
fn a_stopped_node_takes_another_address_and_keeps_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node");
    let folder = path.to_str().unwrap();
    let address = |name: &str| format!("@dqlite-cli-recover-{}-{name}", std::process::id());
    let (old, new) = (address("old"), address("new"));
    let node = start(&path, &old);
    let sql = "CREATE TABLE t (n); INSERT INTO t VALUES (4711);";
    assert!(run(&["shell", "--servers", &old, "app", "-c", sql]).status.success());
    // It runs: the error says who has the folder.
    let refused = run(&["recover", "--dir", folder]);
    let named = format!("is in use by process {} (dqlite)", node.id());
    assert!(!refused.status.success() && said(&refused).contains(&named), "{}", said(&refused));
    stop(node);

    let told = said(&run(&["recover", "--dir", folder]));
    assert!(told.contains("the last entry in") && told.contains("has term "), "{told}");
    let stranger = run(&["recover", "--dir", folder, "--member", &format!("6,{new},voter")]);
    assert!(said(&stranger).contains("has the id 5"), "{}", said(&stranger));
    let member = format!("5,{new},voter");
    let recovered = run(&["recover", "--dir", folder, "--member", &member]);
    assert!(recovered.status.success(), "{}", said(&recovered));

    let node = start(&path, &new);
    let read = run(&["shell", "--servers", &new, "app", "-c", "SELECT n FROM t;"]);
    assert!(said(&read).contains("4711"), "{}", said(&read));
    stop(node);
}
