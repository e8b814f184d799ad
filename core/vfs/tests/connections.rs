//! Connections and statements.

mod support;

use std::thread;

use dqlite_vfs::{
    AuthAction, AuthContext, Authorization, Column, PAGE_BYTES, StatementId, Step,
    TransactionState, ValueRef,
};
use libsqlite3_sys as ffi;
use support::*;

#[test]
fn statements_are_named_by_the_lowest_free_number() {
    let node = Node::new();
    let mut connection = node.connect();
    let mut prepare = |sql: &str| connection.prepare(sql).unwrap().unwrap().id;
    assert_eq!(
        [prepare("SELECT 0"), prepare("SELECT 1"), prepare("SELECT 2")],
        [StatementId(0), StatementId(1), StatementId(2)]
    );
    assert!(connection.finalize(StatementId(1)));
    assert!(!connection.finalize(StatementId(1)));
    assert!(!connection.finalize(StatementId(9)));
    assert!(connection.statement(StatementId(1)).is_none());
    assert_eq!(connection.prepare("SELECT 3").unwrap().unwrap().id, StatementId(1));
    assert_eq!(connection.prepare("SELECT 4").unwrap().unwrap().id, StatementId(3));
    assert_eq!(connection.statement_count(), 4);
}

#[test]
fn texts_of_several_statements() {
    let node = Node::new();
    let mut connection = node.connect();
    for empty in ["", "  \n", "-- nothing", ";; ; /* nothing */ ;"] {
        assert_eq!(connection.prepare(empty).unwrap(), None, "{empty:?}");
    }
    let sql = " ; SELECT 1; -- ü\n SELECT :a, ?7; ";
    let first = connection.prepare(sql).unwrap().unwrap();
    assert_eq!(&sql[first.tail_offset..], " -- ü\n SELECT :a, ?7; ");
    assert_eq!((first.parameter_count, first.column_count, first.readonly), (0, 1, true));
    let rest = &sql[first.tail_offset..];
    let second = connection.prepare(rest).unwrap().unwrap();
    assert_eq!((second.parameter_count, second.column_count), (7, 2));
    assert_eq!(connection.prepare(&rest[second.tail_offset..]).unwrap(), None);
    let explained = connection.prepare("EXPLAIN CREATE TABLE x(y)").unwrap().unwrap();
    assert!(explained.is_explain);
    assert!(!connection.prepare("CREATE TABLE x(y)").unwrap().unwrap().readonly);
}

#[test]
fn errors_tell_code_text_and_place() {
    let node = Node::new();
    let mut connection = node.connect();
    let error = connection.prepare(";; SELECT absent").unwrap_err();
    assert_eq!((error.code, error.offset), (ffi::SQLITE_ERROR, Some(10)));
    assert_eq!(error.message, "no such column: absent");
    let error = connection.prepare("SELECT 1\0; SELECT 2").unwrap_err();
    assert_eq!(error.offset, Some(8));

    exec(&mut connection, "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p)");
    let error = run(&mut connection, "INSERT INTO c VALUES(1)").unwrap_err();
    assert_eq!(error.code, ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
    exec(&mut connection, "INSERT INTO p VALUES(1)");
    let error = run(&mut connection, "INSERT INTO p VALUES(1)").unwrap_err();
    assert_eq!(error.code, ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
    assert_eq!(error.message, "UNIQUE constraint failed: p.id");
    assert_eq!(error.to_string(), "UNIQUE constraint failed: p.id (1555)");
}

#[test]
fn values_go_in_and_out() {
    let node = Node::new();
    let mut connection = node.connect();
    let id = connection.prepare("SELECT ?1, :b, @c, $d, ?1, ?, zeroblob(3)").unwrap().unwrap().id;
    let statement = connection.statement(id).unwrap();
    assert_eq!(statement.parameter_name(1).as_deref(), Some("?1"));
    assert_eq!(statement.parameter_name(3).as_deref(), Some("@c"));
    assert_eq!(statement.parameter_name(5), None);
    assert_eq!(statement.parameter_index("$d"), Some(4));
    assert_eq!(statement.parameter_index("$e"), None);
    statement.bind(1, ValueRef::Text(b"a\0b")).unwrap();
    statement.bind(2, ValueRef::Integer(i64::MIN)).unwrap();
    statement.bind(3, ValueRef::Real(0.5)).unwrap();
    statement.bind(4, ValueRef::Blob(&[])).unwrap();
    statement.bind(5, ValueRef::Text(b"")).unwrap();
    assert_eq!(statement.bind(6, ValueRef::Null).unwrap_err().code, ffi::SQLITE_RANGE);
    assert_eq!(statement.value(0), ValueRef::Null, "before the first row");
    assert_eq!(statement.step().unwrap(), Step::Row);
    let values: Vec<ValueRef<'_>> = (0..8).map(|column| statement.value(column)).collect();
    assert_eq!(
        values,
        [
            ValueRef::Text(b"a\0b"),
            ValueRef::Integer(i64::MIN),
            ValueRef::Real(0.5),
            ValueRef::Blob(&[]),
            ValueRef::Text(b"a\0b"),
            ValueRef::Text(b""),
            ValueRef::Blob(&[0, 0, 0]),
            ValueRef::Null,
        ]
    );
    assert!(statement.is_busy());
    assert_eq!(statement.bind(1, ValueRef::Null).unwrap_err().code, ffi::SQLITE_MISUSE);
    assert_eq!(statement.step().unwrap(), Step::Done);
    statement.reset();
    statement.clear_bindings();
    assert_eq!(statement.step().unwrap(), Step::Row);
    assert_eq!(statement.value(0), ValueRef::Null);
}

#[test]
fn columns_tell_names_and_declared_types() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, "CREATE TABLE t(a INTEGER PRIMARY KEY, b VARCHAR(10), c)");
    let id = connection.prepare("SELECT a, b AS bee, c, 1 + 1 FROM t").unwrap().unwrap().id;
    let columns = connection.statement(id).unwrap().columns();
    let column = |name: &str, declared: Option<&str>| Column {
        name: name.to_owned(),
        declared_type: declared.map(str::to_owned),
    };
    assert_eq!(
        columns,
        [
            column("a", Some("INTEGER")),
            column("bee", Some("VARCHAR(10)")),
            column("c", None),
            column("1 + 1", None),
        ]
    );
}

#[test]
fn a_cursor_stays_open_across_threads_and_other_statements() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(10, 10));
    let id = connection.prepare("SELECT a FROM t ORDER BY a").unwrap().unwrap().id;
    let mut seen = 0;
    while connection.statement(id).unwrap().step().unwrap() == Step::Row {
        seen += 1;
        connection = thread::spawn(move || {
            exec(&mut connection, "UPDATE t SET b = randomblob(20)");
            connection
        })
        .join()
        .unwrap();
    }
    assert_eq!(seen, 10);
}

#[test]
fn counters_and_transaction_states() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, "INSERT INTO t VALUES(7, NULL), (9, NULL)");
    assert_eq!((connection.changes(), connection.last_insert_rowid()), (2, 9));
    exec(&mut connection, "DELETE FROM t WHERE a = 7");
    assert_eq!((connection.changes(), connection.total_changes()), (1, 3));
    assert_eq!(connection.transaction_state().unwrap(), TransactionState::None);
    exec(&mut connection, "BEGIN; SELECT * FROM t");
    assert!(!connection.is_autocommit());
    assert_eq!(connection.transaction_state().unwrap(), TransactionState::Read);
    exec(&mut connection, "INSERT INTO t VALUES(1, NULL)");
    assert_eq!(connection.transaction_state().unwrap(), TransactionState::Write);
    let mut other = node.connect();
    let error = run(&mut other, "INSERT INTO t VALUES(2, NULL)").unwrap_err();
    assert_eq!(error.code, ffi::SQLITE_BUSY);
    exec(&mut connection, "COMMIT");
    assert!(connection.is_autocommit());
}

#[test]
fn a_closed_connection_rolls_back_and_lets_go() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, "BEGIN; INSERT INTO t VALUES(1, NULL)");
    connection.prepare("SELECT * FROM t").unwrap().unwrap();
    let interrupt = connection.interrupt_handle();
    assert_eq!(node.database.connection_count(), 1);
    drop(connection);
    assert_eq!(node.database.connection_count(), 0);
    interrupt.interrupt();
    let mut connection = node.connect();
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM t"), "0|\n");
    exec(&mut connection, "INSERT INTO t VALUES(2, NULL)");
}

#[test]
fn an_interrupt_stops_a_statement_from_another_thread() {
    let node = Node::new();
    let mut connection = node.connect();
    let interrupt = connection.interrupt_handle();
    let id = connection
        .prepare("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT i FROM s")
        .unwrap()
        .unwrap()
        .id;
    let statement = connection.statement(id).unwrap();
    assert_eq!(statement.step().unwrap(), Step::Row);
    thread::spawn(move || interrupt.interrupt()).join().unwrap();
    let error = loop {
        if let Err(error) = statement.step() {
            break error;
        }
    };
    assert_eq!(error.code, ffi::SQLITE_INTERRUPT);
}

#[test]
fn serialize_gives_the_database_as_the_connection_sees_it() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(50, 1000));
    let mut old = node.connect();
    hold_snapshot(&mut old);
    let image = connection.serialize().unwrap();
    exec(&mut connection, "DELETE FROM t");
    assert_eq!(old.serialize().unwrap(), image);
    assert_eq!(image.len() % PAGE_BYTES, 0);
    drop(old);
    assert_ne!(connection.serialize().unwrap(), image);

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("copy"), &image).unwrap();
    let plain = rusqlite::Connection::open(dir.path().join("copy")).unwrap();
    let count: i64 = plain.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 50);
}

#[test]
fn a_backup_goes_out_and_in() {
    let (node, other) = (Node::new(), Node::new());
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(500, 1000));
    let mut plain = rusqlite::Connection::open_in_memory().unwrap();
    let backup = rusqlite::backup::Backup::new(connection.rusqlite(), &mut plain).unwrap();
    backup.run_to_completion(100, std::time::Duration::ZERO, None).unwrap();
    drop(backup);
    other.follow(&node);
    exec(&mut connection, "DELETE FROM t");
    other.follow(&node);
    assert_eq!(rows(&mut other.connect(), "SELECT count(*) FROM t"), "0|\n");
}

#[test]
fn no_file_is_reached() {
    let (node, other) = (Node::new(), Node::new());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other");
    drop(other);
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    for target in [
        path.to_str().unwrap().to_owned(),
        format!("file:{}?vfs=unix", path.display()),
        "dqlite-0".to_owned(),
        "dqlite-1".to_owned(),
    ] {
        let error = run(&mut connection, &format!("ATTACH '{target}' AS x")).unwrap_err();
        assert_eq!(error.code, ffi::SQLITE_AUTH, "{target}");
        assert!(run(&mut connection, &format!("VACUUM INTO '{target}'")).is_err(), "{target}");
    }
    assert!(!path.exists());
    assert!(run(&mut connection, "SELECT load_extension('x')").is_err());
    exec(&mut connection, "ATTACH ':memory:' AS m; CREATE TABLE m.x(y); INSERT INTO m.x VALUES(1)");
    exec(&mut connection, "ATTACH '' AS f; CREATE TABLE f.x(y); INSERT INTO f.x VALUES(1)");
    exec(&mut connection, "INSERT INTO t SELECT y, NULL FROM m.x; VACUUM");
}

#[test]
fn an_authorizer_is_asked_and_confinement_stays() {
    let node = Node::new();
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    connection
        .set_authorizer(Some(|context: AuthContext<'_>| match context.action {
            AuthAction::Delete { .. } => Authorization::Deny,
            _ => Authorization::Allow,
        }))
        .unwrap();
    assert_eq!(run(&mut connection, "DELETE FROM t").unwrap_err().code, ffi::SQLITE_AUTH);
    assert_eq!(run(&mut connection, "ATTACH 'x' AS x").unwrap_err().code, ffi::SQLITE_AUTH);
    connection.set_authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
    exec(&mut connection, "DELETE FROM t");
    assert_eq!(run(&mut connection, "ATTACH 'x' AS x").unwrap_err().code, ffi::SQLITE_AUTH);
}

#[test]
fn pragmas_cannot_take_commits_from_the_sink_or_write_the_file() {
    let (node, other) = (Node::new(), Node::new());
    let mut connection = node.connect();
    exec(&mut connection, TABLE);
    exec(
        &mut connection,
        "PRAGMA synchronous = OFF; PRAGMA main.synchronous = NORMAL; PRAGMA synchronous(0);
         PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_size_limit = 1000;
         PRAGMA wal_autocheckpoint = 1; PRAGMA checkpoint_fullfsync = 1",
    );
    assert_eq!(rows(&mut connection, "PRAGMA synchronous"), "2|\n");
    assert_eq!(rows(&mut connection, "PRAGMA locking_mode"), "normal|\n");
    let mut leave_wal_mode = || {
        for mode in ["DELETE", "TRUNCATE", "PERSIST", "MEMORY"] {
            let error = run(&mut connection, &format!("PRAGMA journal_mode = {mode}")).unwrap_err();
            assert_eq!(error.code, ffi::SQLITE_BUSY, "{mode}");
            assert_eq!(rows(&mut connection, "PRAGMA journal_mode"), "wal|\n", "{mode}");
        }
        exec(&mut connection, "PRAGMA journal_mode = OFF; PRAGMA journal_mode = WAL");
        assert_eq!(rows(&mut connection, "PRAGMA journal_mode"), "wal|\n");
    };
    node.checkpoint_all();
    let file = node.bytes();
    leave_wal_mode();
    for round in 0..3 {
        exec(&mut node.connect(), &format!("INSERT INTO t VALUES({round}, x'01')"));
    }
    leave_wal_mode();
    for mode in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        let result = rows(&mut connection, &format!("PRAGMA wal_checkpoint({mode})"));
        assert!(result.starts_with("1|"), "{mode}: {result}");
    }
    drop(connection);
    assert!(node.bytes() == file);
    assert_eq!(other.follow(&node), 5);
    assert_same(&node, &other);
}
