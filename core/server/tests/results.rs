//! Results: how rows are laid out, cut into frames, and ended by errors.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Body, Failure, Server, Table, V, ask, frame, query_sql, say};

/// What counts from 1 to its parameter.
const COUNT: &str = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?1)";

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_header_holds_any_number_of_columns() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for count in [1i64, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 509, 510, 511, 2000] {
        let columns: Vec<_> =
            (0..count).map(|column| format!("i + {column} AS c{column}")).collect();
        let sql = format!("{COUNT} SELECT {} FROM s", columns.join(", "));
        let table = wire.query(&sql, &[V::Integer(12)]).await.unwrap();
        assert_eq!(table.columns.last(), Some(&format!("c{}", count - 1)));
        let row = |first| (0..count).map(|column| V::Integer(first + column)).collect::<Vec<_>>();
        assert_eq!(table.rows, (1..=12).map(row).collect::<Vec<_>>(), "{count} columns");
    }
    let columns = vec!["1"; 2001].join(", ");
    let failure = wire.query(&format!("SELECT {columns}"), &[]).await.unwrap_err();
    assert_eq!(failure, Failure::new(1, "too many columns in result set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_comes_in_parts_of_about_64_kib() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let sql = format!("{COUNT} SELECT i, 'row ' || i AS name FROM s");
    let table = wire.query(&sql, &[V::Integer(20_000)]).await.unwrap();
    assert_eq!(table.columns, ["i", "name"]);
    let row = |number| vec![V::Integer(number), V::Text(format!("row {number}"))];
    assert!(table.rows.into_iter().eq((1..=20_000).map(row)));
    assert!(table.frames.len() > 5, "{:?}", table.frames);
    assert!(table.frames.iter().all(|&rows| rows * 32 < 80 << 10), "{:?}", table.frames);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_travel_whole_and_the_last_part_may_be_empty() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let sql = format!("{COUNT} SELECT i, zeroblob(200000) FROM s");
    let table = wire.query(&sql, &[V::Integer(3)]).await.unwrap();
    let row = |number| vec![V::Integer(number), V::Blob(vec![0; 200_000])];
    assert!(table.rows.into_iter().eq((1..=3).map(row)));
    assert!(table.frames.starts_with(&[1, 1, 1]), "{:?}", table.frames);
    // Columns whose names alone are more than a frame's usual size.
    let columns: Vec<_> =
        (0..2000).map(|column| format!("1 AS {}{column}", "c".repeat(50))).collect();
    let sql = format!("{COUNT} SELECT {} FROM s", columns.join(", "));
    let table = wire.query(&sql, &[V::Integer(4)]).await.unwrap();
    assert_eq!((table.rows.len(), table.columns.len()), (4, 2000));
}

#[tokio::test(flavor = "multi_thread")]
async fn results_without_rows_or_columns() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let done = |columns: &[&str]| Table {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        rows: Vec::new(),
        frames: vec![0],
    };
    for sql in ["CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 2)", "BEGIN", "COMMIT"] {
        assert_eq!(wire.query(sql, &[]).await, Ok(done(&[])), "{sql}");
    }
    assert_eq!(wire.query("SELECT * FROM t WHERE a > 9", &[]).await, Ok(done(&["a", "b"])));
    let table = wire.query("SELECT a, b, a, 1 + 1 FROM t", &[]).await.unwrap();
    assert_eq!(table.columns, ["a", "b", "a", "1 + 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_types_decide_and_odd_values_go_plainly() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run(
        "CREATE TABLE y (dt DATETIME, d date, ts TimeStamp, b BOOLEAN, bo BOOL, ti TIME,
            tz TIMESTAMP WITH TIME ZONE, v VARCHAR)",
    )
    .await;
    let (text, blob) = (V::text("t"), V::Blob(vec![1]));
    let at = |value: &str| V::Iso8601(value.to_owned());
    for (value, row) in [
        ("17", vec![V::UnixTime(17), V::UnixTime(17), V::UnixTime(17), V::Boolean(17)]),
        ("-1", vec![V::UnixTime(-1), V::UnixTime(-1), V::UnixTime(-1), V::Boolean(u64::MAX)]),
        ("'t'", vec![at("t"), at("t"), at("t"), text.clone()]),
        ("1.5", vec![V::Float(1.5); 4]),
        ("x'01'", vec![blob; 4]),
        ("NULL", vec![V::Null; 4]),
    ] {
        let values = [value; 4].join(", ");
        wire.run(&format!("DELETE FROM y; INSERT INTO y (dt, d, ts, b) VALUES ({values})")).await;
        assert_eq!(wire.rows("SELECT dt, d, ts, b FROM y").await, [row], "{value}");
        // Through a view and a subquery, but not an expression.
        let row = wire.rows("SELECT dt, max(dt), dt || '', +dt FROM (SELECT * FROM y)").await;
        assert!(row[0][1..].iter().all(|value| value.code() <= 5), "{row:?}");
    }
    wire.run("UPDATE y SET bo = 1, ti = 2, tz = 3, v = 4").await;
    let row = ["1", "2", "3"].map(|number| V::Integer(number.parse().unwrap()));
    assert_eq!(wire.rows("SELECT bo, ti, tz FROM y").await, [row]);
    assert_eq!(wire.rows("SELECT v FROM y").await, [[V::text("4")]]);
    // Types may differ from row to row.
    wire.run("DELETE FROM y; INSERT INTO y (dt) VALUES (1), ('x'), (NULL), (0.5)").await;
    let rows = [[V::UnixTime(1)], [at("x")], [V::Null], [V::Float(0.5)]];
    assert_eq!(wire.rows("SELECT dt FROM y").await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_the_protocol_cannot_say_do_no_harm() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let rows = wire.rows("SELECT 'a' || char(0) || 'b', 2").await;
    assert_eq!(rows, [[V::text("a"), V::Integer(2)]], "a text ends at its NUL");
    wire.send(&query_sql("SELECT CAST(x'ff' AS TEXT), 2", &[])).await;
    let answer = wire.next().await;
    assert_eq!(answer.kind, say::ROWS);
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_a_clean_failure_wherever_it_comes() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let overflow = "abs(-9223372036854775807 - 1)";
    for (last_good, parts) in [(0, 0), (10, 0), (20_000, 2)] {
        let sql = format!(
            "{COUNT} SELECT CASE WHEN i <= {last_good} THEN i ELSE {overflow} END AS ov FROM s"
        );
        wire.send(&query_sql(&sql, &[V::Integer(30_000)])).await;
        let mut table = Table::default();
        let failure = loop {
            let answer = wire.next().await;
            if answer.kind == say::FAILURE {
                break answer.failure();
            }
            assert!(!table.take(&answer));
        };
        assert_eq!(failure, Failure::new(1, "integer overflow"));
        assert!(table.frames.len() >= parts, "{:?}", table.frames);
        wire.expect_in_step().await;
    }
    // So with a prepared statement, which works again afterwards.
    let (id, _) = wire.prepare(&format!("SELECT {overflow} + ?")).await.unwrap();
    for _ in 0..2 {
        let failure = wire.ask(ask::QUERY, Body::new().u32(0).u32(id)).await.failure();
        assert_eq!(failure, Failure::new(1, "integer overflow"));
    }
    assert_eq!(wire.number("SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_write_are_complete_only_when_it_is_committed() {
    let server = Server::single().await;
    let (mut wire, mut other) = (server.session().await, server.session().await);
    wire.run("CREATE TABLE t (n INTEGER PRIMARY KEY, b)").await;
    let sql = format!("INSERT INTO t {COUNT} SELECT i, zeroblob(100) FROM s RETURNING n, b");
    let sql = sql.replace(&format!("INSERT INTO t {COUNT}"), &format!("{COUNT} INSERT INTO t"));
    let table = wire.query(&sql, &[V::Integer(5000)]).await.unwrap();
    assert_eq!(table.rows.len(), 5000);
    assert!(table.frames.len() > 2, "{:?}", table.frames);
    assert_eq!(other.number("SELECT count(*) FROM t").await, 5000);
    let failure = wire.query("INSERT INTO t VALUES (5001, 1), (1, 1) RETURNING n", &[]).await;
    assert_eq!(failure.unwrap_err().code, 1555);
    assert_eq!(other.number("SELECT count(*) FROM t").await, 5000);
    let (id, _) = wire.prepare("DELETE FROM t WHERE n > ? RETURNING n").await.unwrap();
    let body = Body::new().u32(0).u32(id).params(&[V::Integer(4998)]);
    wire.send(&frame(ask::QUERY, 0, &body)).await;
    assert_eq!(wire.table().await.unwrap().rows, [[V::Integer(4999)], [V::Integer(5000)]]);
    other.run("INSERT INTO t VALUES (5000, 1)").await;
}
