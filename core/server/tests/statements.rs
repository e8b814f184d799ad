//! OPEN, PREPARE, EXEC, QUERY, FINALIZE, EXEC_SQL and QUERY_SQL: what is taken, what is refused,
//! and in which words.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Body, Failure, Server, V, ask, frame, say};

fn handle(statement: u32) -> Body {
    Body::new().u32(0).u32(statement)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_ignores_flags_and_vfs_and_works_once() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let open = Body::new().text("test").u64(u64::MAX).text("no such vfs");
    assert_eq!(wire.ask(ask::OPEN, &open).await.kind, say::DB);
    let again = wire.ask(ask::OPEN, &open).await.failure();
    assert_eq!(again, Failure::new(5, "a database for this connection is already open"));
    wire.run("CREATE TABLE t (n)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_databases_are_mere_keys() {
    let server = Server::single().await;
    for name in ["../../etc/passwd", "a/b", ".", "k8s.db", "größe", "A", "a", "x y"] {
        let mut wire = server.connect().await;
        wire.open(name).await;
        wire.run("CREATE TABLE t (n)").await;
    }
    let mut wire = server.connect().await;
    for name in ["", &"x".repeat(300)] {
        let open = Body::new().text(name).u64(0).text("");
        assert_eq!(wire.ask(ask::OPEN, open).await.failure().code, 1);
    }
    wire.open("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_before_open_nor_in_a_database_other_than_0() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let refused = Failure::new(12, "no database opened");
    for opened in [false, true] {
        let database = u32::from(opened);
        if opened {
            wire.open("test").await;
        }
        let long = Body::new().u64(database.into()).text("SELECT 1");
        for kind in [ask::PREPARE, ask::EXEC_SQL, ask::QUERY_SQL] {
            assert_eq!(wire.ask(kind, &long).await.failure(), refused);
        }
        let short = Body::new().u32(database).u32(0);
        for kind in [ask::EXEC, ask::QUERY, ask::FINALIZE] {
            assert_eq!(wire.ask(kind, &short).await.failure(), refused);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_statements_are_the_lowest_that_are_free() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for id in 0..3 {
        assert_eq!(wire.prepare("SELECT ?, ?2, :name").await.unwrap(), (id, 3));
    }
    wire.ask(ask::FINALIZE, handle(1)).await.assert_empty();
    assert_eq!(wire.prepare("SELECT 1").await.unwrap(), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_can_be_finalized_once() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.prepare("SELECT 1").await.unwrap();
    wire.prepare("SELECT 2").await.unwrap();
    wire.ask(ask::FINALIZE, handle(0)).await.assert_empty();
    let gone = Failure::new(12, "no statement with the given id");
    // The C server dies of a free id below a used one.
    for id in [0, 0, 2, 77, u32::MAX] {
        for kind in [ask::FINALIZE, ask::EXEC, ask::QUERY] {
            assert_eq!(wire.ask(kind, handle(id)).await.failure(), gone, "{id}");
        }
    }
    wire.send(&frame(ask::QUERY, 0, &handle(1))).await;
    assert_eq!(wire.table().await.unwrap().rows, [[V::Integer(2)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_run_again_and_forget_their_parameters() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (a, b)").await;
    let (insert, _) = wire.prepare("INSERT INTO t VALUES (?, ?)").await.unwrap();
    let both = handle(insert).params(&[V::Integer(1), V::text("x")]);
    assert_eq!(wire.ask(ask::EXEC, both).await.executed(), Ok((1, 1)));
    let one = handle(insert).params(&[V::Integer(2)]);
    assert_eq!(wire.ask(ask::EXEC, one).await.executed(), Ok((2, 1)));
    assert_eq!(wire.ask(ask::EXEC, handle(insert)).await.executed(), Ok((3, 1)));
    let (query, _) = wire.prepare("SELECT a, b FROM t WHERE a >= ?").await.unwrap();
    for (least, rows) in [(1, 2), (2, 1), (3, 0)] {
        let body = handle(query).params(&[V::Integer(least)]);
        wire.send(&frame(ask::QUERY, 0, &body)).await;
        assert_eq!(wire.table().await.unwrap().rows.len(), rows);
    }
    assert_eq!(wire.number("SELECT count(*) FROM t WHERE b IS NULL").await, 2);
    // The schema changes under it.
    wire.run("ALTER TABLE t ADD COLUMN c DEFAULT 9").await;
    let (all, _) = wire.prepare("SELECT * FROM t LIMIT 1").await.unwrap();
    wire.run("ALTER TABLE t ADD COLUMN d BOOLEAN DEFAULT 1").await;
    wire.send(&frame(ask::QUERY, 0, &handle(all))).await;
    let table = wire.table().await.unwrap();
    assert_eq!(table.columns, ["a", "b", "c", "d"]);
    let row = [V::Integer(1), V::text("x"), V::Integer(9), V::Boolean(1)];
    assert_eq!(table.rows, [row]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_a_statement_is_counted_in_bytes() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for (sql, tail) in [
        ("SELECT 'größe 象'; SELECT 2", "SELECT 'größe 象';".len()),
        ("SELECT 1", "SELECT 1".len()),
        ("-- é\n; /* ü */ SELECT 1 ; ", "-- é\n; /* ü */ SELECT 1 ;".len()),
    ] {
        let body = Body::new().u64(0).text(sql);
        let answer = wire.ask_schema(ask::PREPARE, 1, body).await;
        assert_eq!((answer.kind, answer.schema, answer.body.len()), (say::STMT, 1, 24));
        assert_eq!(answer.body[16..], (tail as u64).to_le_bytes(), "{sql}");
    }
    // Schema 0 takes space and comments behind the statement, and nothing else.
    wire.prepare("SELECT 1; -- é\n /* and */ ;").await.unwrap();
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; nonsense"] {
        let refused = Failure::new(1, "nonempty statement tail");
        assert_eq!(wire.prepare(sql).await.unwrap_err(), refused);
        assert_eq!(wire.query(sql, &[]).await.unwrap_err(), refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_without_a_statement_is_an_error_where_one_is_needed() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for sql in ["", "  ", "-- nothing", ";;", "/* not closed"] {
        // Not 0, as in C: to Go that means a broken connection.
        let empty = Failure::new(21, "empty statement");
        assert_eq!(wire.prepare(sql).await.unwrap_err(), empty, "{sql}");
        assert_eq!(wire.query(sql, &[]).await.unwrap_err(), empty, "{sql}");
        assert_eq!(wire.run(sql).await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_shares_its_parameters_and_stops_at_the_first_error() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let sql = "CREATE TABLE t (a PRIMARY KEY, b); INSERT INTO t VALUES (?, ?);
        UPDATE t SET b = 'none'; INSERT INTO t VALUES (?, ?)";
    let params = [V::Integer(1), V::text("x"), V::Integer(2), V::text("y"), V::text("too many")];
    assert_eq!(wire.exec(sql, &params).await, Ok((2, 1)));
    let rows = wire.rows("SELECT a, b FROM t").await;
    assert_eq!(rows, [[V::Integer(1), V::text("none")], [V::Integer(2), V::text("y")]]);
    // Fewer values than places: the rest are NULL.
    wire.exec("INSERT INTO t VALUES (?, ?); INSERT INTO t VALUES (?, ?)", &params[..3])
        .await
        .unwrap_err();
    let failure = wire.fails("DELETE FROM t; INSERT INTO t VALUES (9, 9), (9, 9); SELECT 1").await;
    assert_eq!(failure, Failure::new(1555, "UNIQUE constraint failed: t.a"));
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 0, "what came before it stays");
    let failure = wire.fails("INSERT INTO t VALUES (3, 3); nonsense; DELETE FROM t").await;
    assert_eq!((failure.code, failure.message.contains("syntax error")), (1, true));
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_tells_what_the_last_statement_did_and_nothing_older() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    assert_eq!(wire.run("CREATE TABLE t (n)").await, (0, 0));
    assert_eq!(wire.run("INSERT INTO t VALUES (1), (2), (3)").await, (3, 3));
    assert_eq!(wire.run("UPDATE t SET n = n + 1 WHERE n > 1").await, (3, 2));
    assert_eq!(wire.run("CREATE TABLE u (n)").await, (3, 0));
    assert_eq!(wire.run("BEGIN").await, (3, 0));
    assert_eq!(wire.run("DELETE FROM t").await, (3, 3));
    assert_eq!(wire.run("COMMIT").await, (3, 0));
    assert_eq!(wire.run("INSERT INTO t (rowid, n) VALUES (-5, 0)").await, (-5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_of_what_yields_rows_fails_and_leaves_no_lock() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let mut other = server.session().await;
    wire.run("CREATE TABLE t (n)").await;
    let refused = Failure::new(1, "rows yielded when none expected for EXEC request");
    for sql in ["INSERT INTO t VALUES (1) RETURNING n", "SELECT 1", "PRAGMA journal_mode"] {
        assert_eq!(wire.fails(sql).await, refused, "{sql}");
        let (id, _) = wire.prepare(sql).await.unwrap();
        assert_eq!(wire.ask(ask::EXEC, handle(id)).await.failure(), refused, "{sql}");
        other.run("DELETE FROM t").await;
    }
    assert_eq!(other.number("SELECT count(*) FROM t").await, 0);
    assert_eq!(wire.run("SELECT 1 WHERE false").await, (0, 0));
    // In a transaction, the statement is undone and the transaction goes on.
    wire.run("BEGIN; INSERT INTO t VALUES (2)").await;
    assert_eq!(wire.fails("DELETE FROM t RETURNING n").await, refused);
    wire.run("COMMIT").await;
    assert_eq!(other.number("SELECT n FROM t").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_sqlites_extended_codes_and_texts() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run(
        "CREATE TABLE p (a INTEGER PRIMARY KEY, b UNIQUE, c NOT NULL DEFAULT 1, CHECK (c < 9));
         CREATE TABLE f (a REFERENCES p); CREATE TABLE s (n INTEGER) STRICT;
         INSERT INTO p VALUES (1, 1, 1)",
    )
    .await;
    for (sql, code, message) in [
        ("INSERT INTO p VALUES (1, 2, 1)", 1555, "UNIQUE constraint failed: p.a"),
        ("INSERT INTO p VALUES (2, 1, 1)", 2067, "UNIQUE constraint failed: p.b"),
        ("INSERT INTO p VALUES (2, 2, NULL)", 1299, "NOT NULL constraint failed: p.c"),
        ("INSERT INTO p VALUES (2, 2, 10)", 275, "CHECK constraint failed: c < 9"),
        ("INSERT INTO f VALUES (7)", 787, "FOREIGN KEY constraint failed"),
        ("INSERT INTO s VALUES ('x')", 3091, "cannot store TEXT value in INTEGER column s.n"),
        ("SELECT missing", 1, "no such column: missing"),
        ("SELECT * FROM missing", 1, "no such table: missing"),
        ("ROLLBACK", 1, "cannot rollback - no transaction is active"),
        ("COMMIT", 1, "cannot commit - no transaction is active"),
        ("nonsense", 1, "near \"nonsense\": syntax error"),
        ("INSERT INTO p VALUES ('x', 2, 2)", 20, "datatype mismatch"),
    ] {
        assert_eq!(wire.fails(sql).await, Failure::new(code, message), "{sql}");
    }
    for sql in [
        "PRAGMA journal_mode = DELETE",
        "PRAGMA wal_checkpoint",
        "PRAGMA delete_database",
        "ATTACH 'x.db' AS x",
        "VACUUM INTO 'x.db'",
        "SELECT load_extension('x')",
    ] {
        let failure = wire.fails(sql).await;
        assert_eq!(failure.code, 23, "{sql}: {failure:?}");
        assert!(failure.message.starts_with("not authorized"), "{sql}: {failure:?}");
    }
    // Python takes no message of 64 KiB.
    let failure = wire.fails(&format!("SELECT {}", "é".repeat(60_000))).await;
    assert!(failure.message.len() < 64 << 10, "{}", failure.message.len());
    wire.expect_in_step().await;
}
