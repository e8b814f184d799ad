//! Calls: what one exchange does and tells.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;

use dqlite_engine::{Call, Error, Session};
use replicas::calls::{Set, Sets, begin, call, fetch, many, one, script, with};
use replicas::{Replica, Tape};

async fn leader() -> (tempfile::TempDir, Arc<Tape>, Replica, Session) {
    let dir = tempfile::tempdir().unwrap();
    let tape = Arc::new(Tape::default());
    let mut leader = Replica::open(dir.path(), &tape);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let sql = "CREATE TABLE t (a INTEGER PRIMARY KEY, b INT UNIQUE)";
    leader.call(&mut session, one(sql)).await.unwrap();
    (dir, tape, leader, session)
}

#[tokio::test]
async fn an_answer_tells_all_about_the_effect() {
    let (_dir, tape, mut leader, mut session) = leader().await;
    let ran = leader.call(&mut session, one("INSERT INTO t VALUES (7, 1), (8, 2)")).await.unwrap();
    assert_eq!((ran.changes, ran.last_insert_rowid, ran.total_changes), (Some(2), 8, 2));
    assert!(!ran.in_transaction && ran.columns.is_none() && ran.cursor.is_none());
    assert_eq!(ran.index, tape.last_index());
    for (sql, changes) in [
        ("UPDATE t SET b = b + 10 WHERE a = 7", Some(1)),
        ("UPDATE t SET b = 0 WHERE a = 99", Some(0)),
        ("-- a comment\nDELETE FROM t WHERE a = 99", Some(0)),
        ("REPLACE INTO t VALUES (8, 3)", Some(1)),
        ("WITH n(i) AS (VALUES (20), (21)) INSERT INTO t SELECT i, i FROM n", Some(2)),
        ("WITH n(i) AS (VALUES (20), (21)) SELECT i FROM n", None),
        ("SELECT count(*) FROM t", None),
        ("EXPLAIN DELETE FROM t", None),
        ("CREATE TABLE u (x)", None),
        ("PRAGMA user_version = 3", None),
        ("BEGIN", None),
        ("COMMIT", None),
    ] {
        let ran = leader.call(&mut session, one(sql)).await.unwrap();
        assert_eq!(ran.changes, changes, "{sql}");
    }
}

#[tokio::test]
async fn what_writes_and_gives_rows_gives_them_all_at_once() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let sql = "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3) RETURNING b";
    let ran = leader.drive(call(&mut session, one(sql), 1)).await.unwrap();
    assert_eq!((ran.sink.rows.len(), ran.cursor, ran.changes), (3, None, Some(3)));
}

#[tokio::test]
async fn a_transaction_is_opened_before_the_first_write() {
    let (_dir, tape, mut leader, mut session) = leader().await;
    let mut other = leader.engine.open_session("app").await.unwrap();
    let entries = tape.last_index();
    for sql in ["SELECT * FROM t", "PRAGMA user_version = 1", "VACUUM", "EXPLAIN DELETE FROM t"] {
        let ran = leader.call(&mut session, begin(sql)).await.unwrap();
        assert!(!ran.in_transaction, "{sql}");
    }
    let too_few = with("INSERT INTO t VALUES (?, ?)", Set::Positional(vec![1]));
    let too_few = leader.call(&mut session, Call { begin: true, ..too_few }).await;
    assert!(matches!(too_few, Err(Error::Parameters(_))) && !session.was_in_transaction());
    for sql in ["INSERT INTO t VALUES (1, 1)", "CREATE TABLE u (x)", "SELECT * FROM t"] {
        assert!(leader.call(&mut session, begin(sql)).await.unwrap().in_transaction, "{sql}");
    }
    let before = tape.last_index();
    leader.call(&mut session, begin("INSERT INTO t VALUES (1, 2)")).await.unwrap_err();
    assert!(session.was_in_transaction(), "an error leaves the transaction open");
    assert_eq!(leader.rows(&mut other, "SELECT count(*) FROM t").await, ["0"]);
    assert_eq!(tape.last_index(), before);
    assert!(!leader.call(&mut session, begin("COMMIT")).await.unwrap().in_transaction);
    assert!(tape.last_index() > before && before > entries);
    assert_eq!(leader.rows(&mut other, "SELECT count(*) FROM t").await, ["1"]);
    // The second statement of a script is the first that writes.
    let both = script("SELECT 1; INSERT INTO t VALUES (2, 2); SELECT 2");
    let ran = leader.call(&mut session, Call { begin: true, ..both }).await.unwrap();
    assert!(ran.in_transaction && ran.changes.is_none());
    leader.call(&mut session, one("ROLLBACK")).await.unwrap();
    assert_eq!(leader.rows(&mut other, "SELECT count(*) FROM t").await, ["1"]);
}

#[tokio::test]
async fn many_are_all_or_nothing() {
    let (_dir, tape, mut leader, mut session) = leader().await;
    let insert = "INSERT INTO t VALUES (?, ?)";
    let before = tape.last_index();
    let ran = leader.call(&mut session, many(insert, &[&[1, 1], &[2, 2], &[3, 3]])).await.unwrap();
    assert_eq!((ran.changes, ran.total_changes, ran.last_insert_rowid), (Some(3), 3, 3));
    assert_eq!(tape.last_index(), before + 1, "one transaction");
    let none = leader.call(&mut session, many(insert, &[])).await.unwrap();
    assert_eq!((none.changes, none.in_transaction), (Some(0), false));
    for sets in [&[&[4, 4][..], &[5, 1]], &[&[4, 4][..], &[5]]] {
        leader.call(&mut session, many(insert, sets)).await.unwrap_err();
        assert!(!session.was_in_transaction());
        assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["3"]);
    }
    // Inside a transaction the error takes back its own call only.
    leader.call(&mut session, begin("INSERT INTO t VALUES (10, 10)")).await.unwrap();
    leader.call(&mut session, many(insert, &[&[11, 11], &[12, 1]])).await.unwrap_err();
    assert!(session.was_in_transaction());
    leader.call(&mut session, many(insert, &[&[13, 13], &[14, 14]])).await.unwrap();
    leader.call(&mut session, one("COMMIT")).await.unwrap();
    let rows = leader.rows(&mut session, "SELECT a FROM t WHERE a > 3").await;
    assert_eq!(rows, ["10", "13", "14"]);
    for sql in ["SELECT ?, ?", "INSERT INTO t VALUES (?, ?) RETURNING a"] {
        let refused = leader.call(&mut session, many(sql, &[&[50, 50]])).await;
        assert!(matches!(refused, Err(Error::ManyYieldsRows)), "{sql}");
    }
}

#[tokio::test]
async fn a_script_stops_at_its_first_error() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let sql = "INSERT INTO t VALUES (1, 1); SELECT * FROM t; -- a comment
        BEGIN; INSERT INTO t VALUES (2, 2); COMMIT; INSERT INTO t VALUES (3, 1);
        INSERT INTO t VALUES (4, 4)";
    leader.call(&mut session, script(sql)).await.unwrap_err();
    assert_eq!(leader.rows(&mut session, "SELECT a FROM t").await, ["1", "2"]);
    let places = leader.call(&mut session, script("SELECT 1; SELECT ?")).await.unwrap_err();
    assert_eq!(places.code(), 25);
    let sets = Sets(vec![Set::Positional(vec![])]);
    let refused = leader.call(&mut session, Call { parameters: sets, ..script("") }).await;
    assert!(matches!(refused, Err(Error::Parameters(_))));
}

#[tokio::test]
async fn results_are_read_side_by_side_and_by_the_same_text() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let numbers = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 6)
        SELECT i FROM s";
    let first = call(&mut session, one(numbers), 2).await.unwrap();
    let second = call(&mut session, one(numbers), 3).await.unwrap();
    assert_eq!((first.sink.rows.len(), second.sink.rows.len()), (2, 3));
    let (first, second) = (first.cursor.unwrap(), second.cursor.unwrap());
    assert_ne!(first, second);
    assert_eq!(fetch(&mut session, first, 1).await.unwrap(), (vec!["3".to_owned()], true));
    leader.call(&mut session, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    let rest = fetch(&mut session, second, 9).await.unwrap();
    assert_eq!((rest.0.join(" "), rest.1), ("4 5 6".to_owned(), false));
    let rest = fetch(&mut session, first, 9).await.unwrap();
    assert_eq!((rest.0.join(" "), rest.1), ("4 5 6".to_owned(), false));
    for cursor in [first, second, 77] {
        assert!(matches!(fetch(&mut session, cursor, 1).await, Err(Error::NoCursor)));
    }
    let open = call(&mut session, one(numbers), 2).await.unwrap().cursor.unwrap();
    session.close_rows(open, dqlite_env::Blocking::Inline).await.unwrap();
    assert!(matches!(fetch(&mut session, open, 1).await, Err(Error::NoCursor)));
    // Nothing is left open that would keep the schema from changing.
    leader.call(&mut session, one("DROP TABLE t")).await.unwrap();
    leader.call(&mut session, one("VACUUM")).await.unwrap();
}

#[tokio::test]
async fn a_cached_statement_has_the_columns_of_today() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let names = |ran: &dqlite_engine::Ran<_>| {
        let columns = ran.columns.as_ref().unwrap().list().iter();
        columns.map(|it| (it.name.clone(), it.declared_type.clone())).collect::<Vec<_>>()
    };
    let first = leader.call(&mut session, one("SELECT * FROM t")).await.unwrap();
    let again = leader.call(&mut session, one("SELECT * FROM t")).await.unwrap();
    let integer = |name: &str, declared: &str| (name.to_owned(), Some(declared.to_owned()));
    assert_eq!(names(&first), [integer("a", "INTEGER"), integer("b", "INT")]);
    assert!(Arc::ptr_eq(first.columns.as_ref().unwrap(), again.columns.as_ref().unwrap()));
    let sql = "ALTER TABLE t RENAME b TO c; ALTER TABLE t ADD d TEXT";
    leader.call(&mut session, script(sql)).await.unwrap();
    leader.call(&mut session, one("INSERT INTO t VALUES (1, 2, 'x')")).await.unwrap();
    let changed = leader.call(&mut session, one("SELECT * FROM t")).await.unwrap();
    assert_eq!(
        names(&changed),
        [integer("a", "INTEGER"), integer("c", "INT"), integer("d", "TEXT")]
    );
    assert_eq!(changed.sink.rows, ["1|2|x"]);
    let plain = leader.call(&mut session, one("SELECT 1 AS n")).await.unwrap();
    assert_eq!(names(&plain), [("n".to_owned(), None)]);
}

#[tokio::test]
async fn more_texts_than_the_cache_holds() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    for round in 0..3 {
        for number in 0..200 {
            let rows = leader.rows(&mut session, &format!("SELECT {number}, {round}")).await;
            assert_eq!(rows, [format!("{number}|{round}")]);
        }
    }
    for _ in 0..2 {
        // A pragma has its effect each time, though some have it when they are compiled.
        for on in ["OFF", "ON"] {
            leader.call(&mut session, one(&format!("PRAGMA foreign_keys = {on}"))).await.unwrap();
            let expected = if on == "ON" { "1" } else { "0" };
            assert_eq!(leader.rows(&mut session, "PRAGMA foreign_keys").await, [expected]);
        }
    }
}

#[tokio::test]
async fn parameters_fit_exactly_or_nothing_is_run() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    use Set::{Named, Positional};
    for (sql, set, rows) in [
        ("SELECT ?, ?", Positional(vec![1, 2]), "1|2"),
        ("SELECT ?2, ?1", Positional(vec![1, 2]), "2|1"),
        ("SELECT :x, @y, $z, :x", Positional(vec![1, 2, 3]), "1|2|3|1"),
        ("SELECT :x, @y, $z", Named(vec![("z", 3), ("x", 1), ("y", 2)]), "1|2|3"),
        ("SELECT :x, @x, $x", Named(vec![("x", 1)]), "1|1|1"),
        ("SELECT ?1", Named(vec![("1", 5)]), "5"),
        ("SELECT 1", Named(vec![]), "1"),
    ] {
        let ran = leader.call(&mut session, with(sql, set)).await.unwrap();
        assert_eq!(ran.sink.rows, [rows], "{sql}");
    }
    let takes = |taken, given| format!("the statement takes {taken}, {given} given");
    for (sql, set, reason) in [
        (
            "SELECT ?, ?",
            Positional(vec![1]),
            format!("parameter 2 has no value: {}", takes("2 parameters", 1)),
        ),
        (
            "SELECT :x",
            Positional(vec![]),
            format!("parameter 1 (:x) has no value: {}", takes("1 parameter", 0)),
        ),
        (
            "SELECT ?",
            Positional(vec![1, 2]),
            format!("value 2 has no parameter: {}", takes("1 parameter", 2)),
        ),
        ("SELECT :x, $y", Named(vec![("x", 1)]), "parameter $y has no value".to_owned()),
        ("SELECT :x", Named(vec![("x", 1), ("y", 2)]), "no parameter is called y".to_owned()),
        ("SELECT :x", Named(vec![("x", 1), ("x", 2)]), "parameter x has two values".to_owned()),
        (
            "SELECT ?",
            Named(vec![("x", 1)]),
            "parameter 1 has no name, and the values have".to_owned(),
        ),
    ] {
        let error = leader.call(&mut session, with(sql, set)).await.unwrap_err();
        assert_eq!((error.code(), error.to_string()), (25, reason), "{sql}");
    }
    let two = Sets(vec![Positional(vec![1]), Positional(vec![2])]);
    let error = leader.call(&mut session, Call { parameters: two, ..one("SELECT ?") }).await;
    assert_eq!(error.unwrap_err().code(), 25);
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["0"]);
}

#[tokio::test]
async fn an_open_result_hides_nothing_that_others_commit() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let mut other = leader.engine.open_session("app").await.unwrap();
    let sets: Vec<_> = (1..=5).map(|number| vec![number, number]).collect();
    let sets: Vec<_> = sets.iter().map(Vec::as_slice).collect();
    leader.call(&mut session, many("INSERT INTO t VALUES (?, ?)", &sets)).await.unwrap();
    let open = call(&mut session, one("SELECT a FROM t"), 2).await.unwrap().cursor.unwrap();
    leader.call(&mut other, one("INSERT INTO t VALUES (6, 6)")).await.unwrap();
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["6"]);
    leader.call(&mut other, one("INSERT INTO t VALUES (7, 7)")).await.unwrap();
    leader.call(&mut session, one("INSERT INTO t VALUES (8, 8)")).await.unwrap();
    assert_eq!(fetch(&mut session, open, 2).await.unwrap().0, ["3", "4"]);
    assert_eq!(fetch(&mut session, open, 9).await.unwrap(), (vec!["5".to_owned()], false));
    // A transaction has one state of the database, and an own write disturbs no result.
    leader.call(&mut session, one("BEGIN")).await.unwrap();
    let open = call(&mut session, one("SELECT a FROM t"), 1).await.unwrap().cursor.unwrap();
    leader.call(&mut other, one("INSERT INTO t VALUES (9, 9)")).await.unwrap();
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["8"]);
    leader.call(&mut session, one("COMMIT")).await.unwrap();
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["9"]);
    assert_eq!(fetch(&mut session, open, 99).await.unwrap().0.len(), 7);
}

#[tokio::test]
async fn a_result_too_large_for_memory_is_named_as_the_cause() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let mut other = leader.engine.open_session("app").await.unwrap();
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 40)
        SELECT i, zeroblob(1000000) FROM s, (SELECT count(*) FROM t)";
    let open = call(&mut session, one(sql), 1).await.unwrap().cursor.unwrap();
    leader.call(&mut session, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["1"], "its own");
    leader.call(&mut other, one("INSERT INTO t VALUES (2, 2)")).await.unwrap();
    for _ in 0..2 {
        let error = call(&mut session, one("SELECT count(*) FROM t"), 1).await.unwrap_err();
        assert_eq!(error.code(), 517);
    }
    let (rows, more) = fetch(&mut session, open, 99).await.unwrap();
    assert!(more && rows[0].starts_with("2|"));
    let (rest, more) = fetch(&mut session, open, 99).await.unwrap();
    assert_eq!((rows.len() + rest.len(), more), (39, false));
    assert!(rest[rest.len() - 1].starts_with("40|"));
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["2"]);
}
