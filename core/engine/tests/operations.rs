//! Operations: what stops them, and what that leaves behind.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dqlite_engine::{Error, Session, Watch};
use dqlite_env::Blocking;
use replicas::calls::{Cells, begin, call, fetch, one};
use replicas::{Replica, Tape};

const ENDLESS: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s";
const ENDLESS_INSERT: &str = "WITH RECURSIVE s(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM s) \
     INSERT INTO t SELECT i, 0 FROM s";
const ENDLESS_ROWS: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT i FROM s";

async fn leader() -> (tempfile::TempDir, Arc<Tape>, Replica, Session) {
    let dir = tempfile::tempdir().unwrap();
    let tape = Arc::new(Tape::default());
    let mut leader = Replica::open(dir.path(), &tape);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.call(&mut session, one("CREATE TABLE t (a PRIMARY KEY, b)")).await.unwrap();
    (dir, tape, leader, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_stops_the_operation_that_runs_and_no_later_one() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let canceller = session.canceller();
    canceller.cancel();
    assert_eq!(leader.rows(&mut session, "SELECT 1").await, ["1"], "nothing was running");
    for _ in 0..3 {
        let cancel = canceller.clone();
        let stopper = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            cancel.cancel();
        });
        let stopped = call(&mut session, one(ENDLESS), 1).await.unwrap_err();
        assert!(matches!(stopped, Error::Interrupted));
        stopper.await.unwrap();
        canceller.cancel();
        assert_eq!(leader.rows(&mut session, "SELECT 1").await, ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_hits_one_of_many_short_operations_at_most() {
    let (_dir, _tape, _leader, mut session) = leader().await;
    let canceller = session.canceller();
    let cancels = Arc::new(AtomicU64::new(0));
    let (counted, stop) = (cancels.clone(), canceller.clone());
    let stopper = tokio::task::spawn_blocking(move || {
        for _ in 0..200 {
            stop.cancel();
            counted.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
        }
    });
    let mut stopped = 0;
    while cancels.load(Ordering::SeqCst) < 200 {
        match call(&mut session, one("SELECT 1"), 1).await {
            Ok(ran) => assert_eq!(ran.sink.rows, ["1"]),
            Err(error) => {
                assert!(matches!(error, Error::Interrupted));
                stopped += 1;
            }
        }
    }
    stopper.await.unwrap();
    assert!(stopped <= cancels.load(Ordering::SeqCst));
    assert_eq!(call(&mut session, one("SELECT 2"), 1).await.unwrap().sink.rows, ["2"]);
}

#[tokio::test]
async fn a_cancel_while_waiting_for_the_turn_to_write() {
    let (_dir, tape, mut leader, mut holder) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.call(&mut holder, one("BEGIN IMMEDIATE")).await.unwrap();
    let canceller = session.canceller();
    let (stopped, ()) =
        tokio::join!(call(&mut session, one("INSERT INTO t VALUES (1, 1)"), 1), async {
            tokio::task::yield_now().await;
            canceller.cancel();
        });
    assert!(matches!(stopped, Err(Error::Interrupted)));
    let before = tape.last_index();
    leader.call(&mut holder, one("COMMIT")).await.unwrap();
    leader.call(&mut session, one("INSERT INTO t VALUES (2, 2)")).await.unwrap();
    assert_eq!(tape.last_index(), before + 1);
    assert_eq!(leader.rows(&mut session, "SELECT a FROM t").await, ["2"]);
}

#[tokio::test]
async fn a_cancel_while_the_log_is_waited_for() {
    let (_dir, tape, mut leader, mut session) = leader().await;
    let mut reader = leader.engine.open_session("app").await.unwrap();
    let before = tape.last_index();
    // Nothing is applied meanwhile, so neither the commit nor what reads it is certain.
    let canceller = session.canceller();
    let (stopped, ()) =
        tokio::join!(call(&mut session, one("INSERT INTO t VALUES (1, 1)"), 1), async {
            tape.wait_for(before + 1).await;
            canceller.cancel();
        });
    assert_eq!(stopped.unwrap_err().code(), 10506);
    let operation = reader.begin_operation(Some(Duration::from_millis(30)));
    let count = one("SELECT count(*) FROM t");
    let read = reader.call(&operation, count.clone(), Cells::up_to(1), Blocking::Pool).await;
    let error = read.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (9, "timed out after 30 ms"));
    drop(operation);
    leader.apply_all().await;
    for session in [&mut session, &mut reader] {
        assert_eq!(leader.call(session, count.clone()).await.unwrap().sink.rows, ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_stops_what_runs() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    for (sql, blocking) in
        [(ENDLESS, Blocking::Pool), (ENDLESS_INSERT, Blocking::Pool), (ENDLESS, Blocking::Inline)]
    {
        let operation = session.begin_operation(Some(Duration::from_millis(40)));
        let ran = session.call(&operation, one(sql), Cells::up_to(1), blocking).await;
        assert_eq!(ran.unwrap_err().to_string(), "timed out after 40 ms");
    }
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_statement_leaves_the_transaction_as_it_says() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    leader.call(&mut session, begin("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    for (sql, stays_open) in [(ENDLESS, true), (ENDLESS_INSERT, false)] {
        let operation = session.begin_operation(Some(Duration::from_millis(20)));
        let ran = session.call(&operation, begin(sql), Cells::up_to(1), Blocking::Pool).await;
        assert!(matches!(ran, Err(Error::TimedOut { .. })));
        drop(operation);
        // SQLite ends the transaction with a write that it has to stop.
        assert_eq!(session.was_in_transaction(), stays_open, "{sql}");
        let count = leader.call(&mut session, one("SELECT count(*) FROM t")).await.unwrap();
        assert_eq!(count.in_transaction, stays_open);
        assert_eq!(count.sink.rows, [if stays_open { "1" } else { "0" }]);
    }
    leader.call(&mut session, one("INSERT INTO t VALUES (2, 2)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_is_stopped_and_its_result_closed() {
    let (_dir, _tape, mut leader, mut session) = leader().await;
    let mut other = leader.engine.open_session("app").await.unwrap();
    for _ in 0..3 {
        let short = Duration::from_millis(10);
        let dropped = tokio::time::timeout(short, call(&mut session, one(ENDLESS), 1)).await;
        assert!(dropped.is_err());
        assert_eq!(leader.rows(&mut session, "SELECT 1").await, ["1"]);
    }
    let open = call(&mut session, one(ENDLESS_ROWS), 1).await.unwrap().cursor.unwrap();
    let all = fetch(&mut session, open, usize::MAX);
    assert!(tokio::time::timeout(Duration::from_millis(10), all).await.is_err());
    leader.call(&mut other, one("INSERT INTO t VALUES (1, 1)")).await.unwrap();
    // Would it still be open, it could not be read to its end.
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["1"]);
    assert!(matches!(fetch(&mut session, open, 1).await, Err(Error::NoCursor)));
}

#[derive(Default)]
struct Patience(AtomicU64);

impl Watch for Patience {
    fn should_stop(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) >= 2
    }
}

#[tokio::test]
async fn a_watch_is_asked_while_sqlite_runs_and_while_waiting() {
    let (_dir, tape, mut leader, mut session) = leader().await;
    let watch = Arc::new(Patience::default());
    session.set_watch(Some(watch.clone()));
    let operation = session.begin_operation(None);
    let ran = session.call(&operation, one(ENDLESS), Cells::up_to(1), Blocking::Inline).await;
    assert!(matches!(ran, Err(Error::Interrupted)));
    drop(operation);
    assert_eq!(watch.0.swap(0, Ordering::SeqCst), 3);
    let before = tape.last_index();
    let unknown = call(&mut session, one("INSERT INTO t VALUES (1, 1)"), 1).await.unwrap_err();
    assert_eq!((unknown.code(), watch.0.load(Ordering::SeqCst)), (10506, 3));
    assert_eq!(tape.last_index(), before + 1);
    leader.apply_all().await;
    session.set_watch(None);
    assert_eq!(leader.rows(&mut session, "SELECT count(*) FROM t").await, ["1"]);
}

#[test]
fn a_call_that_is_dropped_before_it_began_never_begins() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (_dir, _tape, mut leader, mut session) = leader().await;
        leader.call(&mut session, begin("INSERT INTO t VALUES (1, 1)")).await.unwrap();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || finished.recv());
        {
            let late = call(&mut session, one("INSERT INTO t VALUES (2, 2)"), 1);
            let mut late = std::pin::pin!(late);
            tokio::select! {
                biased;
                _ = &mut late => panic!("the only thread is busy"),
                () = tokio::task::yield_now() => {}
            }
        }
        finish.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert_eq!(leader.rows(&mut session, "SELECT a FROM t").await, ["1"]);
    });
}

#[tokio::test]
async fn a_result_that_nobody_heard_of_is_closed() {
    let (_dir, tape, mut leader, mut writer) = leader().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let before = tape.last_index();
    {
        let write = call(&mut writer, one("INSERT INTO t VALUES (1, 1)"), 1);
        let mut write = std::pin::pin!(write);
        tokio::select! {
            _ = &mut write => panic!("nothing was applied"),
            () = tape.wait_for(before + 1) => {}
        }
        // The result is open, and its answer waits for the log.
        let operation = session.begin_operation(Some(Duration::from_millis(50)));
        let cells = Cells::up_to(1);
        let read = session.call(&operation, one(ENDLESS_ROWS), cells, Blocking::Pool).await;
        assert!(matches!(read, Err(Error::TimedOut { .. })));
        drop(operation);
        leader.apply_all().await;
        write.await.unwrap();
    }
    // The first result of a session has the number 1.
    assert!(matches!(fetch(&mut session, 1, 1).await, Err(Error::NoCursor)));
    let open = call(&mut session, one(ENDLESS_ROWS), 1).await.unwrap().cursor;
    assert_eq!(open, Some(2));
}
