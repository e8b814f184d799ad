//! Sessions: what goes back to the pool, in which state, and what is closed.

mod mock;

use std::sync::Arc;
use std::time::Duration;

use dqlite_client::{Client, ClientOptions, ErrorKind, Outcome, Value};
use dqlite_wire::{Request, ValueRef, codes};
use mock::{Answer, Mock, an_answer, client, integers, quick};
use tokio::sync::Notify;

#[tokio::test]
async fn sessions_are_used_again() {
    let mock = Mock::start().await;
    let client = mock.client();
    for _ in 0..3 {
        client.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
        assert_eq!(client.query_all("SELECT n FROM t", ()).await.unwrap().len(), 2);
    }
    assert_eq!(mock.connections(), 1);
}

#[tokio::test]
async fn whoever_finds_the_pool_empty_waits() {
    let mock = Mock::start().await;
    let options = ClientOptions { pool_size_max: 1, ..quick() };
    let client = client([&mock], options);
    let held = client.connection().await.unwrap();
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.execute("DELETE FROM t", ()).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
    let options =
        ClientOptions { pool_size_max: 1, timeout: Duration::from_millis(100), ..quick() };
    let client = mock::client([&mock], options);
    let held = client.connection().await.unwrap();
    let error = client.execute("DELETE FROM t", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
    drop(held);
}

#[tokio::test]
async fn a_call_that_was_cancelled_leaves_no_session_behind() {
    let release = Arc::new(Notify::new());
    let held = Answer::Held(release.clone());
    let mock = Mock::scripted(move |connection, request| match request {
        Request::ExecSql { .. } if connection == 1 => Some(held.clone()),
        _ => None,
    })
    .await;
    let client = mock.client();
    let mut call = Box::pin(client.execute("INSERT INTO t VALUES (1)", ()));
    while mock.statements().is_empty() {
        tokio::select! {
            biased;
            _ = &mut call => unreachable!("the answer is held back"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(call);
    // The answer to the first would be taken for that to the second.
    release.notify_one();
    client.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
    assert_eq!(mock.connections(), 2);
}

#[tokio::test]
async fn a_session_that_the_node_closed_is_not_used() {
    let mock = Mock::scripted(|connection, request| match request {
        Request::ExecSql { .. } if connection == 1 => Some(Answer::BytesThenClose(an_answer())),
        _ => None,
    })
    .await;
    // Through memory the end of the stream is there with the answer before it.
    let client = Client::new(mock.in_memory(), [mock.address.as_str()], "test");
    client.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    client.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
    assert_eq!(mock.connections(), 2);
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_rolled_back_before_the_next_use() {
    let mock = Mock::start().await;
    let options = ClientOptions { pool_size_max: 1, ..quick() };
    let client = client([&mock], options);
    let mut connection = client.connection().await.unwrap();
    connection.begin(Default::default()).await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    drop(connection);
    client.execute("DELETE FROM t", ()).await.unwrap();
    let statements = ["BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK", "DELETE FROM t"];
    assert_eq!(mock.statements(), statements);
    assert_eq!(mock.connections(), 1);
    // Nobody may begin one unseen.
    client.execute("SAVEPOINT a", ()).await.unwrap();
    client.execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.statements()[4..], ["SAVEPOINT a", "ROLLBACK", "DELETE FROM t"]);
}

#[tokio::test]
async fn without_a_transaction_a_rollback_does_nothing() {
    let mock = Mock::scripted(|_, request| match request {
        Request::ExecSql { sql, .. } if **sql == *"ROLLBACK" => {
            Some(Answer::Failure(codes::ERROR, "cannot rollback - no transaction is active"))
        }
        _ => None,
    })
    .await;
    mock.client().connection().await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn prepared_statements_do_not_outlive_their_connection() {
    let mock = Mock::start().await;
    let options = ClientOptions { pool_size_max: 1, ..quick() };
    let client = client([&mock], options);
    let mut connection = client.connection().await.unwrap();
    let statement = connection.prepare("INSERT INTO t VALUES (?)").await.unwrap();
    assert_eq!(statement.parameter_count(), 1);
    connection.execute_prepared(&statement, (5,)).await.unwrap();
    let mut rows = connection.query_prepared(&statement, (5,)).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>(0), Ok(1));
    drop(rows);
    drop(connection);
    client.execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.statements(), ["FINALIZE 0", "DELETE FROM t"]);
    // Another connection's number may be somebody else's statement.
    let other = mock.client();
    let mut elsewhere = other.connection().await.unwrap();
    let error = elsewhere.execute_prepared(&statement, (5,)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misuse);
}

#[tokio::test]
async fn results_of_many_frames_are_read_one_by_one() {
    let frames = vec![vec![1, 2], vec![3], vec![4, 5], vec![]];
    let mock = Mock::scripted(move |_, request| match request {
        Request::QuerySql { .. } => Some(Answer::Rows(frames.clone())),
        _ => None,
    })
    .await;
    let client = mock.client();
    let rows = client.query("SELECT n FROM t", ()).await.unwrap();
    assert_eq!(rows.columns(), ["n"]);
    assert_eq!(integers(&rows.collect().await.unwrap()), [1, 2, 3, 4, 5]);
    assert_eq!(client.query_all("SELECT n FROM t", ()).await.unwrap().len(), 5);
    assert_eq!(mock.connections(), 1);
}

#[tokio::test]
async fn rows_that_are_dropped_early_are_interrupted_and_the_session_serves_on() {
    let mock = Mock::scripted(|_, request| match request {
        Request::QuerySql { sql, .. } if sql.contains("endless") => Some(Answer::Endless),
        _ => None,
    })
    .await;
    let options = ClientOptions { pool_size_max: 1, ..quick() };
    let client = client([&mock], options);
    let mut rows = client.query("SELECT n FROM endless", ()).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>("n"), Ok(7));
    drop(rows);
    client.execute("DELETE FROM t", ()).await.unwrap();
    let mut connection = client.connection().await.unwrap();
    connection.query("SELECT n FROM endless", ()).await.unwrap().close();
    connection.execute("DELETE FROM u", ()).await.unwrap();
    let statements = mock.statements();
    assert_eq!(statements[1..3], ["INTERRUPT", "DELETE FROM t"]);
    assert_eq!(statements[4..], ["INTERRUPT", "DELETE FROM u"]);
    assert_eq!(mock.connections(), 1);
}

#[tokio::test]
async fn rows_of_a_write_are_read_to_the_end() {
    let mock = Mock::scripted(|_, request| match request {
        Request::QuerySql { .. } => Some(Answer::Rows(vec![vec![1], vec![2], vec![3]])),
        _ => None,
    })
    .await;
    let mut connection = mock.client().connection().await.unwrap();
    connection.query("INSERT INTO t VALUES (1) RETURNING n", ()).await.unwrap().close();
    connection.execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.statements(), ["INSERT INTO t VALUES (1) RETURNING n", "DELETE FROM t"]);
}

#[tokio::test]
async fn a_failure_between_frames_ends_the_rows_and_spares_the_session() {
    let mock = Mock::scripted(|_, request| match request {
        Request::QuerySql { .. } => {
            Some(Answer::RowsThenFailure(vec![vec![1]], codes::ERROR, "integer overflow"))
        }
        _ => None,
    })
    .await;
    let client = mock.client();
    let mut rows = client.query("SELECT n FROM t", ()).await.unwrap();
    assert!(rows.next().await.unwrap().is_some());
    let error = rows.next().await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Sql, "integer overflow"));
    assert_eq!(rows.next().await, Ok(None));
    drop(rows);
    client.execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.connections(), 1);
}

#[tokio::test]
async fn waiting_for_rows_may_be_cancelled() {
    let mock = Mock::scripted(|_, request| match request {
        Request::QuerySql { .. } => Some(Answer::Rows(vec![vec![1], vec![2]])),
        _ => None,
    })
    .await;
    let mut rows = mock.client().query("SELECT n FROM t", ()).await.unwrap();
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            biased;
            row = rows.next() => match row.unwrap() {
                Some(row) => seen.push(row.get::<i64>(0).unwrap()),
                None => break,
            },
            () = std::future::ready(()) => tokio::task::yield_now().await,
        }
    }
    assert_eq!(seen, [1, 2]);
}

#[tokio::test]
async fn more_than_255_parameters_take_the_longer_form() {
    let mock = Mock::start().await;
    let numbers: Vec<i64> = (0..300).collect();
    mock.client().execute("INSERT INTO t VALUES (?)", &numbers).await.unwrap();
    let Some(request @ Request::ExecSql { params, .. }) = &mock.requests().into_iter().last()
    else {
        panic!("an EXEC_SQL came");
    };
    assert_eq!((request.schema(), params.len()), (1, 300));
    assert_eq!(params.iter().last(), Some(ValueRef::Integer(299)));
}

#[tokio::test]
async fn a_parameter_that_cannot_be_stored_is_refused() {
    let mock = Mock::start().await;
    let client = mock.client();
    for value in [Value::Float(f64::NAN), Value::Text("a\0b".into()), Value::UnixTime(3)] {
        let error = client.execute("INSERT INTO t VALUES (?)", (value,)).await.unwrap_err();
        assert_eq!((error.kind, error.outcome), (ErrorKind::Data, Outcome::NotApplied));
    }
    assert_eq!(mock.statements(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_closes_the_session() {
    let mut nonsense = Some(Answer::Response(dqlite_wire::Response::Empty));
    let mock = Mock::scripted(move |_, request| match request {
        Request::ExecSql { .. } => nonsense.take(),
        _ => None,
    })
    .await;
    let client = mock.client();
    let error = client.execute("DELETE FROM t", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Protocol, Outcome::Unknown));
    client.execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.connections(), 2);
}

#[tokio::test]
async fn a_file_is_imported_in_chunks() {
    let mock = Mock::start().await;
    let file: Vec<u8> = (0..(2 << 20) + 4096).map(|at| at as u8).collect();
    let (mut told, total_bytes) = (Vec::new(), file.len() as u64);
    let cluster = mock.client().cluster();
    let progress = |bytes| told.push(bytes);
    cluster.import("shop", file.as_slice(), total_bytes, progress).await.unwrap();
    assert_eq!(told, [1 << 20, 2 << 20, total_bytes]);
    let chunks = mock.requests().into_iter().filter_map(|request| match request {
        Request::Import(chunk) => Some(chunk),
        _ => None,
    });
    let came: Vec<u8> = chunks.flat_map(|chunk| chunk.content).collect();
    assert!(came == file);
    let short = cluster.import("shop", &file[..9], total_bytes, |_| {}).await.unwrap_err();
    assert_eq!(short.kind, ErrorKind::Data);
}
