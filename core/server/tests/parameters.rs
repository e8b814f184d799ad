//! The values of placeholders.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Body, Failure, Server, V, ask, frame};

#[tokio::test(flavor = "multi_thread")]
async fn no_parameters_has_two_spellings() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let nothing = Body::new().u64(0).text("SELECT 1");
    let empty_tuple = nothing.clone().u64(0);
    for schema in [0, 1] {
        for body in [&nothing, &empty_tuple] {
            wire.send(&frame(ask::QUERY_SQL, schema, body)).await;
            assert_eq!(wire.table().await.unwrap().rows, [[V::Integer(1)]]);
            wire.ask_schema(ask::EXEC_SQL, schema, &Body::new().u64(0).text("BEGIN; ROLLBACK"))
                .await
                .executed()
                .unwrap();
        }
    }
    let (id, _) = wire.prepare("SELECT 2").await.unwrap();
    let bare = Body::new().u32(0).u32(id);
    for (schema, body) in [(0, bare.clone()), (1, bare.clone()), (0, bare.u64(0))] {
        wire.send(&frame(ask::QUERY, schema, &body)).await;
        assert_eq!(wire.table().await.unwrap().rows, [[V::Integer(2)]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_around_every_limit_of_the_tuple() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for count in [1, 4, 5, 6, 7, 8, 12, 13, 255, 256, 32_766] {
        let params: Vec<_> = (1..=count).map(V::Integer).collect();
        let sql = format!("SELECT ?1, ?{count}, ?{}", (count + 1) / 2);
        let row = vec![V::Integer(1), V::Integer(count), V::Integer((count + 1) / 2)];
        assert_eq!(wire.query(&sql, &params).await.unwrap().rows, std::slice::from_ref(&row));
        if count <= 255 {
            // The long tuple is good for any count.
            let body = Body::new().u64(0).text(&sql).long_tuple(&params);
            wire.send(&frame(ask::QUERY_SQL, 1, &body)).await;
            assert_eq!(wire.table().await.unwrap().rows, [row]);
        }
    }
    let params: Vec<_> = (1..=32_767).map(V::Integer).collect();
    assert_eq!(wire.query("SELECT ?1, ?32766", &params).await.unwrap_err().code, 25);
    assert_eq!(wire.query("SELECT ?32767", &params).await.unwrap_err().code, 1);
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_values_are_null_and_surplus_ones_only_exec_ignores() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    wire.run("CREATE TABLE t (a, b)").await;
    let params = [V::Integer(1), V::Integer(2), V::Integer(3)];
    wire.exec("INSERT INTO t VALUES (?, ?)", &params[..1]).await.unwrap();
    wire.exec("INSERT INTO t VALUES (?, ?)", &params).await.unwrap();
    let rows = wire.rows("SELECT * FROM t").await;
    assert_eq!(rows, [[V::Integer(1), V::Null], [V::Integer(1), V::Integer(2)]]);
    let row = wire.query("SELECT ?, ?", &params[..1]).await.unwrap().rows;
    assert_eq!(row, [[V::Integer(1), V::Null]]);
    let failure = wire.query("SELECT ?, ?", &params).await.unwrap_err();
    assert_eq!(failure.code, 25);
    assert!(failure.message.starts_with("column index out of range"), "{failure:?}");
    let failure = wire.query("INSERT INTO t VALUES (?, ?)", &params).await.unwrap_err();
    assert_eq!(failure.code, 25);
    assert_eq!(wire.number("SELECT count(*) FROM t").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_stored_as_what_it_stands_for() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let long = "x".repeat(100_000);
    let blob: Vec<u8> = (0..=255).collect();
    for (value, kind, back) in [
        (V::Integer(i64::MIN), "integer", V::Integer(i64::MIN)),
        (V::Float(-0.5), "real", V::Float(-0.5)),
        (V::Float(f64::NAN), "null", V::Null),
        (V::Float(f64::INFINITY), "real", V::Float(f64::INFINITY)),
        (V::text(""), "text", V::text("")),
        (V::text("seven77"), "text", V::text("seven77")),
        (V::text("eight888"), "text", V::text("eight888")),
        (V::text(&long), "text", V::text(&long)),
        (V::Blob(Vec::new()), "blob", V::Blob(Vec::new())),
        (V::Blob(blob.clone()), "blob", V::Blob(blob)),
        (V::Null, "null", V::Null),
        (V::Iso8601("2024-01-02 03:04:05+00:00".into()), "text", {
            V::text("2024-01-02 03:04:05+00:00")
        }),
        (V::Boolean(0), "integer", V::Integer(0)),
        (V::Boolean(77), "integer", V::Integer(1)),
    ] {
        let table = wire.query("SELECT ?1, typeof(?1)", std::slice::from_ref(&value)).await;
        assert_eq!(table.unwrap().rows, [[back, V::text(kind)]], "{value:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_cannot_be_parameters_are_refused() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    let refused = Failure::new(1, "bind parameters");
    let time = [V::UnixTime(1_700_000_000)];
    assert_eq!(wire.exec("SELECT ?", &time).await.unwrap_err(), refused);
    assert_eq!(wire.query("SELECT ?", &time).await.unwrap_err(), refused);
    for code in [0, 6, 7, 8, 12, 13, 14, 15, 16, 255] {
        let body = Body::new().u64(0).text("SELECT ?").bytes(&[1, code, 0, 0, 0, 0, 0, 0]).u64(1);
        for kind in [ask::EXEC_SQL, ask::QUERY_SQL] {
            assert_eq!(wire.ask(kind, &body).await.failure(), refused, "{code}");
        }
    }
    assert_eq!(wire.number("SELECT 1").await, 1);
}
