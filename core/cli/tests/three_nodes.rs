//! The commands that start a cluster of their own.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::process::{Command, Stdio};

/// Runs the command and gives what it prints; it must succeed.
fn run(arguments: &[&str]) -> String {
    let mut dqlite = Command::new(env!("CARGO_BIN_EXE_dqlite"));
    let output = dqlite.args(arguments).stdin(Stdio::null()).output().unwrap();
    let (out, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{errors}");
    out
}

#[test]
fn a_short_demo_passes_with_the_users_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("user's own.sqlite");
    let own = rusqlite::Connection::open(&path).unwrap();
    own.execute_batch(
        "PRAGMA page_size = 1024;
         CREATE TABLE \"odd \"\" name\"(a PRIMARY KEY, b) WITHOUT ROWID;
         INSERT INTO \"odd \"\" name\" VALUES('x', 1), ('y', NULL);",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let out = run(&["demo", "--seconds", "4", "--clients", "3", "--database", path]);
    assert!(out.contains("imported 2 rows"), "{out}");
    assert!(out.contains("passed: nothing is lost"), "{out}");
}

#[test]
fn a_short_bench_fills_its_table() {
    let out = run(&["bench", "--seconds", "1", "--clients", "1,4"]);
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with('│')).collect();
    assert_eq!(rows.len(), 3, "{out}");
    assert!(rows[0].contains("flushes/commit") && rows[2].starts_with("│ 4 "), "{out}");
}
