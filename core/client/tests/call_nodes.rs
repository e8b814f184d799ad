//! Call sessions with real nodes in this process.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::time::Duration;

use dqlite_client::{CallSession, Client, Env, Fault, LeaderSearch, Value};
use dqlite_server::{Node, NodeOptions};
use dqlite_wire::ValueRef;
use dqlite_wire::call::{
    AskOutcome, BatchLimits, Consistency, OpenSession, Outcome, ParameterSet, Place, RowBatch, Run,
};
use tokio::time::Instant;

const ENDLESS_COUNT: &str =
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s";

/// A node in this folder. The sockets are abstract ones: their names need no luck with ports.
async fn start(name: &str, data_dir: &Path) -> Node {
    let address = format!("@dqlite-client-calls-{}-{name}", std::process::id());
    let node = Node::start(Env::real(), NodeOptions::new(data_dir, address)).await.unwrap();
    node.ready().await.unwrap();
    node
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn opening() -> OpenSession {
    OpenSession { database: "test".into(), client: 42, place: Place::Leader, busy_timeout_ms: 5000 }
}

async fn open(node: &Node) -> CallSession {
    let network = Env::real().network;
    CallSession::open(&*network, node.address(), &opening(), soon()).await.unwrap()
}

fn run(sql: &str) -> Run {
    Run { sql: sql.into(), ..Run::default() }
}

fn integers(rows: &RowBatch) -> Vec<i64> {
    let integer = |row: Vec<ValueRef<'_>>| match row[..] {
        [ValueRef::Integer(number)] => number,
        _ => panic!("{row:?}"),
    };
    rows.rows().unwrap().map(|row| integer(row.unwrap())).collect()
}

async fn count(session: &mut CallSession) -> Vec<i64> {
    integers(&session.run(&run("SELECT count(*) FROM t"), soon()).await.unwrap().rows)
}

#[tokio::test]
async fn calls_read_and_write() {
    let data_dir = tempfile::tempdir().unwrap();
    let node = start("crud", data_dir.path()).await;
    let search =
        LeaderSearch::new(Env::real(), vec![node.address().to_owned()], Duration::from_secs(5));
    let found = search.find(soon()).await.unwrap();
    let mut session = CallSession::open_on(found.link, &opening(), soon()).await.unwrap();
    assert_eq!(session.opened().node, node.id());
    session.run(&run("CREATE TABLE t (n INT)"), soon()).await.unwrap();
    let sets = (1..=1000).map(|number| ParameterSet::Positional(vec![Value::Integer(number)]));
    let insert = Run {
        kind: dqlite_wire::call::RunKind::Many,
        parameters: sets.collect(),
        mark: 1,
        ..run("INSERT INTO t VALUES (?)")
    };
    let inserted = session.run(&insert, soon()).await.unwrap();
    assert_eq!((inserted.changes, inserted.last_insert_rowid), (Some(1000), 1000));

    let ran = session.run(&run("SELECT n FROM t ORDER BY n"), soon()).await.unwrap();
    let (mut all, cursor) = (integers(&ran.rows), ran.cursor.unwrap());
    loop {
        let fetched = session.fetch(cursor, BatchLimits::default(), soon()).await.unwrap();
        all.extend(integers(&fetched.rows));
        if !fetched.more {
            break;
        }
    }
    assert!(all.into_iter().eq(1..=1000));

    let index = session.barrier(soon()).await.unwrap();
    assert!(session.wait(index, soon()).await.unwrap() >= inserted.index);
    let missed = session.wait(u64::MAX, Instant::now() + Duration::from_millis(50)).await;
    let Fault::Refused { code: 9, message } = missed.unwrap_err() else { panic!("not in time") };
    assert!(message.starts_with("timed out after"), "{message}");
    let at_least = Run { consistency: Consistency::AtLeast(index), ..run("SELECT 1") };
    session.run(&at_least, soon()).await.unwrap();

    let ask =
        AskOutcome { database: "test".into(), client: 42, mark: 1, since: session.opened().index };
    let outcome = session.outcome(&ask, soon()).await.unwrap();
    assert_eq!(outcome, Outcome::Applied(inserted.index));
    node.stop().await;
}

#[tokio::test]
async fn a_cancelled_call_leaves_its_transaction_open() {
    let data_dir = tempfile::tempdir().unwrap();
    let node = start("cancel", data_dir.path()).await;
    let mut session = open(&node).await;
    session.run(&run("CREATE TABLE t (n)"), soon()).await.unwrap();
    let begin = Run { begin: true, ..run("INSERT INTO t VALUES (1)") };
    assert!(session.run(&begin, soon()).await.unwrap().in_transaction);
    for delay_us in [0, 100, 20_000] {
        let canceller = session.canceller();
        let endless = run(ENDLESS_COUNT);
        let call = session.run(&endless, soon());
        let cancel = async {
            tokio::time::sleep(Duration::from_micros(delay_us)).await;
            canceller.cancel();
        };
        // The call first: a cancel that comes before it has begun is not meant for it.
        let (ended, ()) = tokio::join!(biased; call, cancel);
        assert!(matches!(ended, Err(Fault::Refused { code: 9, .. })), "{ended:?}");
    }
    let soon_over = Instant::now() + Duration::from_millis(100);
    let ended = session.run(&run(ENDLESS_COUNT), soon_over).await.unwrap_err();
    let message = "timed out after 100 ms".to_owned();
    assert_eq!(ended, Fault::Refused { code: 9, message });
    assert!(session.is_fit());
    session.run(&run("COMMIT"), soon()).await.unwrap();
    assert_eq!(count(&mut open(&node).await).await, [1]);

    // One that is given up takes its session along, and holds nothing.
    let begin = Run { begin: true, ..run("INSERT INTO t VALUES (2)") };
    session.run(&begin, soon()).await.unwrap();
    let endless = run(ENDLESS_COUNT);
    let given_up = session.run(&endless, soon());
    assert!(tokio::time::timeout(Duration::from_millis(20), given_up).await.is_err());
    assert!(!session.is_fit());
    drop(session);
    let mut other = open(&node).await;
    other.run(&run("INSERT INTO t VALUES (3)"), soon()).await.unwrap();
    assert_eq!(count(&mut other).await, [2]);
    node.stop().await;
}

#[tokio::test]
async fn a_backup_can_be_imported() {
    let data_dir = tempfile::tempdir().unwrap();
    let node = start("backup", data_dir.path()).await;
    let mut session = open(&node).await;
    let create = "CREATE TABLE t AS
        WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)
        SELECT i AS n, randomblob(1000) AS b FROM s";
    session.run(&run(create), soon()).await.unwrap();
    let path = data_dir.path().join("copy.db");
    let mut told = Vec::new();
    let progress = |step: dqlite_client::BackupProgress| {
        told.push(step.remaining_pages);
        true
    };
    session.backup(&Env::real(), &path, progress, soon()).await.unwrap();
    assert!(told.len() >= 3 && told.is_sorted_by(|a, b| a > b), "{told:?}");
    assert_eq!(told.last(), Some(&0));

    let client = Client::new(Env::real(), [node.address()], "copy");
    let image = std::fs::read(&path).unwrap();
    let bytes = image.len() as u64;
    client.cluster().import("copy", &image[..], bytes, |_| ()).await.unwrap();
    let rows = client.query_all("SELECT count(*), sum(length(b)) FROM t", ()).await.unwrap();
    assert_eq!((rows[0].get(0), rows[0].get(1)), (Ok(3000), Ok(3_000_000)));
    node.stop().await;
}
