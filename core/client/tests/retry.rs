//! What is tried again, and what must not be.

mod mock;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dqlite_client::{ClientOptions, Error, ErrorKind, Outcome, TransactionMode};
use dqlite_wire::{Request, codes};
use mock::{Answer, Mock, NOT_LEADER, client, half_an_answer, integers, quick};

/// A server that answers its first statement that contains `word` so, and all others as usual.
async fn once(word: &'static str, answer: Answer) -> Mock {
    let mut answer = Some(answer);
    Mock::scripted(move |_, request| match request {
        Request::ExecSql { sql, .. } | Request::QuerySql { sql, .. } if sql.contains(word) => {
            answer.take()
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_never_sent_again() {
    for answer in [half_an_answer(), Answer::Close] {
        let mock = once("INSERT", answer).await;
        let error = mock.client().execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
        assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
        assert_eq!(mock.statements().len(), 1);
    }
}

#[tokio::test]
async fn a_write_that_lost_its_leader_midway_is_never_sent_again() {
    let lost = Answer::Failure(codes::LEADERSHIP_LOST, codes::messages::LEADERSHIP_LOST);
    let mock = once("INSERT", lost).await;
    let error = mock.client().execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
    assert_eq!(error.code, codes::LEADERSHIP_LOST);
    assert_eq!(mock.statements().len(), 1);
}

#[tokio::test]
async fn a_write_without_an_answer_in_time_has_an_unknown_outcome() {
    let mock = once("INSERT", Answer::Silence).await;
    let options = ClientOptions { timeout: Duration::from_millis(300), ..quick() };
    let client = client([&mock], options);
    let error = client.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
    let mock = once("SELECT", Answer::Silence).await;
    let options = ClientOptions { timeout: Duration::from_millis(300), ..quick() };
    let error = mock::client([&mock], options).query("SELECT 1", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
}

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_sent_again() {
    let mock = once("SELECT", Answer::Close).await;
    let rows = mock.client().query_all("SELECT n FROM t", ()).await.unwrap();
    assert_eq!(integers(&rows), [1, 2]);
    assert_eq!(mock.statements().len(), 2);
}

#[tokio::test]
async fn a_read_that_fails_midway_begins_anew() {
    let lost = codes::messages::LEADERSHIP_LOST;
    let answer = Answer::RowsThenFailure(vec![vec![1], vec![2]], codes::LEADERSHIP_LOST, lost);
    let mock = once("SELECT", answer.clone()).await;
    let rows = mock.client().query_all("SELECT n FROM t", ()).await.unwrap();
    assert_eq!(integers(&rows), [1, 2]);
    // Rows that the caller has seen already cannot be taken back.
    let mock = once("SELECT", answer).await;
    let mut rows = mock.client().query("SELECT n FROM t", ()).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>("n"), Ok(1));
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>("n"), Ok(2));
    assert_eq!(rows.next().await.unwrap_err().kind, ErrorKind::NotLeader);
    assert_eq!(rows.next().await, Ok(None));
}

#[tokio::test]
async fn one_statement_that_met_a_follower_is_sent_again_but_a_script_is_not() {
    let mock = once("INSERT", NOT_LEADER).await;
    mock.client().execute("INSERT INTO t VALUES (1);", ()).await.unwrap();
    assert_eq!(mock.statements().len(), 2);
    let mock = once("INSERT", NOT_LEADER).await;
    let script = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";
    let error = mock.client().execute(script, ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotLeader, Outcome::Unknown));
    assert_eq!(mock.statements().len(), 1);
}

#[tokio::test]
async fn nothing_is_tried_again_where_the_caller_wants_none_of_it() {
    let mock = once("INSERT", NOT_LEADER).await;
    let options = ClientOptions { retry: false, ..quick() };
    let error = client([&mock], options).execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotLeader, Outcome::NotApplied));
}

#[tokio::test]
async fn a_database_that_is_not_ready_yet_is_opened_again() {
    let mut failures =
        [NOT_LEADER, Answer::Failure(codes::BUSY, "recovering"), Answer::Close].into_iter();
    let mock = Mock::scripted(move |_, request| match request {
        Request::Open { .. } => failures.next(),
        _ => None,
    })
    .await;
    mock.client().execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(mock.connections(), 4);
}

/// Runs a transaction of one insert and counts how often its body ran.
async fn insert_in_transaction(mock: &Mock) -> (Result<(), Error>, usize) {
    let runs = Arc::new(AtomicUsize::new(0));
    let result = mock
        .client()
        .transaction(|tx| {
            let runs = runs.clone();
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                tx.execute("INSERT INTO t VALUES (?)", (1,)).await?;
                assert_eq!(tx.query_all("SELECT n FROM t", ()).await?.len(), 2);
                Ok(())
            }
        })
        .await;
    (result, runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_transaction_that_surely_had_no_effect_runs_again_as_a_whole() {
    let busy = || Answer::Failure(codes::BUSY, codes::messages::DATABASE_LOCKED);
    let stale = Answer::Failure(codes::BUSY_SNAPSHOT, "database is locked");
    for (word, answer, runs) in [
        ("INSERT", NOT_LEADER, 2),
        ("INSERT", stale, 2),
        ("INSERT", Answer::Close, 2),
        ("SELECT", Answer::Close, 2),
        ("COMMIT", NOT_LEADER, 2),
        ("COMMIT", busy(), 2),
        ("BEGIN", busy(), 1),
        ("BEGIN", Answer::Close, 1),
    ] {
        let mock = once(word, answer.clone()).await;
        let (result, ran) = insert_in_transaction(&mock).await;
        assert_eq!((result, ran), (Ok(()), runs), "{word} {answer:?}");
        assert_eq!(mock.statements().last().map(String::as_str), Some("COMMIT"));
    }
}

#[tokio::test]
async fn a_transaction_that_may_be_committed_never_runs_again() {
    let lost = Answer::Failure(codes::LEADERSHIP_LOST, codes::messages::LEADERSHIP_LOST);
    for answer in [Answer::Close, half_an_answer(), lost] {
        let mock = once("COMMIT", answer).await;
        let (result, ran) = insert_in_transaction(&mock).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
        assert_eq!(ran, 1);
        assert_eq!(mock.statements().iter().filter(|sql| *sql == "COMMIT").count(), 1);
    }
}

#[tokio::test]
async fn a_body_that_commits_by_itself_is_not_taken_for_harmless() {
    let mock = once("COMMIT", Answer::Close).await;
    let result = mock
        .client()
        .transaction(|tx| async move { tx.execute("INSERT INTO t VALUES (1); COMMIT", ()).await })
        .await;
    assert_eq!(result.unwrap_err().outcome, Outcome::Unknown);
    assert_eq!(mock.statements().len(), 2);
}

#[tokio::test]
async fn a_transaction_that_an_error_may_have_ended_is_not_taken_for_harmless() {
    let mock = Mock::scripted(|_, request| match request {
        Request::ExecSql { sql, .. } if sql.contains("VALUES (1)") => {
            // ON CONFLICT ROLLBACK ends the transaction, and nothing in the answer says so.
            Some(Answer::Failure(codes::CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.n"))
        }
        Request::ExecSql { sql, .. } if sql.contains("VALUES (2)") => Some(Answer::Close),
        _ => None,
    })
    .await;
    let result = mock
        .client()
        .transaction(|tx| async move {
            tx.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
            tx.execute("INSERT INTO t VALUES (2)", ()).await
        })
        .await;
    assert_eq!(result.unwrap_err().outcome, Outcome::Unknown);
}

#[tokio::test]
async fn a_transaction_that_fails_is_rolled_back() {
    let violated = Answer::Failure(codes::CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.n");
    let mock = once("INSERT", violated).await;
    let (result, ran) = insert_in_transaction(&mock).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.code, ran), (ErrorKind::Constraint, codes::CONSTRAINT_UNIQUE, 1));
    assert_eq!(mock.statements(), ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (?)", "ROLLBACK"]);
}

#[tokio::test]
async fn a_transaction_does_nothing_more_after_it_may_have_been_taken_back() {
    let mock = once("INSERT", Answer::Failure(codes::FULL, "database or disk is full")).await;
    let result = mock
        .client()
        .transaction_with(TransactionMode::Deferred, |tx| async move {
            let full = tx.execute("INSERT INTO t VALUES (1)", ()).await.unwrap_err();
            let refused = tx.execute("INSERT INTO t VALUES (2)", ()).await.unwrap_err();
            assert_eq!((full.code, refused.kind), (codes::FULL, ErrorKind::Misuse));
            Ok(())
        })
        .await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Misuse);
    assert!(!mock.statements().iter().any(|sql| sql == "COMMIT"));
}

#[tokio::test]
async fn a_transaction_in_the_middle_of_its_rows_refuses_other_calls() {
    let mock = Mock::start().await;
    let result = mock
        .client()
        .transaction(|tx| async move {
            let rows = tx.query("SELECT n FROM t", ()).await?;
            let refused = tx.execute("DELETE FROM t", ()).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Misuse);
            drop(rows);
            tx.execute("DELETE FROM t", ()).await
        })
        .await;
    assert_eq!(result.unwrap().rows_affected, 1);
}
