//! Three nodes in this process, and connections that live through the loss of leaders.
//!
//! Nodes are stopped here, not killed: what a killed process leaves behind is tested with whole
//! processes by the languages' failover tests, and in simulated time by `core/sim`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use dqlite::{
    ConnectOptions, Connection, Error, Level, Node, NodeSettings, Outcome, Retryable,
    TransactionMode,
};

struct Three {
    nodes: Vec<Node>,
    folders: Vec<tempfile::TempDir>,
    name: String,
}

impl Three {
    /// `test` names the test: the nodes' sockets are called after it.
    async fn start(test: &str) -> Self {
        let name = format!("dqlite-{test}-{}", std::process::id());
        let mut three = Self { nodes: Vec::new(), folders: Vec::new(), name };
        for number in 0..3 {
            three.folders.push(tempfile::tempdir().unwrap());
            let mut settings =
                NodeSettings::new(three.folders[number].path(), three.address(number));
            if number > 0 {
                settings.join = vec![three.address(0)];
            }
            let node = Node::start(settings).await.unwrap();
            node.ready().await.unwrap();
            three.nodes.push(node);
        }
        three
    }

    fn address(&self, number: usize) -> String {
        format!("@{}-{number}", self.name)
    }

    fn url(&self, options: &str) -> String {
        let addresses: Vec<_> = (0..3).map(|number| self.address(number)).collect();
        format!("dqlite://{}/app?{options}", addresses.join(","))
    }

    async fn connect(&self, options: &str) -> Connection {
        dqlite::connect(&self.url(options), ConnectOptions::default()).await.unwrap()
    }

    async fn leader(&self) -> usize {
        let mut cluster = None;
        for node in &self.nodes {
            if let Ok(leader) = node.cluster().leader().await {
                cluster = Some(leader.id);
                break;
            }
        }
        let id = cluster.expect("a leader");
        self.nodes.iter().position(|node| node.id() == id).expect("a node of ours")
    }

    async fn hand_the_lead_over(&self) {
        let leader = self.leader().await;
        self.nodes[leader].cluster().transfer(0).await.unwrap();
    }

    async fn stop(self) {
        for node in &self.nodes {
            node.stop().await;
        }
    }
}

async fn count(connection: &Connection) -> i64 {
    let mut cursor = connection.execute("SELECT count(*) FROM t", ()).await.unwrap();
    cursor.fetch_one().await.unwrap().unwrap().get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_goes_on_with_the_next_leader() {
    let three = Three::start("replay").await;
    let connection = three.connect("").await;
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", ()).await.unwrap();
    connection.begin(TransactionMode::Immediate).await.unwrap();
    connection.execute("INSERT INTO t (b) VALUES (?)", ("one",)).await.unwrap();
    assert_eq!(count(&connection).await, 1);
    three.hand_the_lead_over().await;
    let cursor = connection.execute("INSERT INTO t (b) VALUES (?)", ("two",)).await.unwrap();
    assert_eq!(cursor.last_row_id(), Some(2));
    connection.commit().await.unwrap();
    assert_eq!(count(&connection).await, 2);
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_goes_on_with_the_next_leader() {
    let three = Three::start("replay-rows").await;
    let connection = three.connect("").await;
    connection.begin(TransactionMode::Deferred).await.unwrap();
    let sql = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i<5000) \
               SELECT i FROM g";
    let mut cursor = connection.execute(sql, ()).await.unwrap();
    let mut sum = 0;
    for turn in 0..5000 {
        if turn == 700 {
            three.hand_the_lead_over().await;
        }
        sum += cursor.fetch_one().await.unwrap().unwrap().get::<i64>(0).unwrap();
    }
    assert!(cursor.fetch_one().await.unwrap().is_none());
    assert_eq!(sum, 5000 * 5001 / 2);
    connection.rollback().await.unwrap();
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_would_see_something_else_is_lost() {
    let three = Three::start("replay-differs").await;
    let (connection, other) = (three.connect("").await, three.connect("").await);
    connection.execute("CREATE TABLE t (a)", ()).await.unwrap();
    connection.begin(TransactionMode::Deferred).await.unwrap();
    assert_eq!(count(&connection).await, 0);
    other.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    three.hand_the_lead_over().await;
    let lost = connection.execute("INSERT INTO t VALUES (2)", ()).await.unwrap_err();
    assert_eq!((lost.retryable(), lost.outcome()), (Retryable::AfterRollback, Outcome::NotApplied));
    assert!(connection.in_transaction(), "until it is rolled back");
    let still = connection.execute("INSERT INTO t VALUES (3)", ()).await.unwrap_err();
    assert_eq!(still.id(), lost.id(), "nothing takes effect by itself");
    assert!(connection.commit().await.is_err());
    connection.rollback().await.unwrap();
    assert_eq!(count(&connection).await, 1);
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retry_a_transaction_is_lost_with_its_leader() {
    let three = Three::start("no-retry").await;
    let connection = three.connect("retry=false").await;
    connection.execute("CREATE TABLE t (a)", ()).await.unwrap();
    connection.begin(TransactionMode::Immediate).await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    three.hand_the_lead_over().await;
    let lost = connection.commit().await.unwrap_err();
    assert_eq!(lost.outcome(), Outcome::NotApplied);
    connection.rollback().await.unwrap();
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_are_neither_lost_nor_doubled_while_leaders_come_and_go() {
    let three = Three::start("increments").await;
    let setup = three.connect("").await;
    setup.execute("CREATE TABLE t (a INTEGER)", ()).await.unwrap();
    setup.execute("INSERT INTO t VALUES (0)", ()).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..4 {
        let connection = three.connect("").await;
        writers.push(tokio::spawn(async move {
            let mut done = 0;
            let until = tokio::time::Instant::now() + Duration::from_secs(6);
            while tokio::time::Instant::now() < until {
                connection
                    .transaction(TransactionMode::Immediate, |it| async move {
                        let mut cursor = it.execute("SELECT a FROM t", ()).await?;
                        let value: i64 = cursor.fetch_one().await?.expect("a row").get(0)?;
                        it.execute("UPDATE t SET a = ?", (value + 1,)).await?;
                        Ok::<_, Error>(())
                    })
                    .await?;
                done += 1;
                connection.execute("UPDATE t SET a = a + 1", ()).await?;
                done += 1;
            }
            Ok::<i64, Error>(done)
        }));
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        three.hand_the_lead_over().await;
    }
    let mut done = 0;
    for writer in writers {
        done += writer.await.unwrap().unwrap();
    }
    let mut cursor = setup.execute("SELECT a FROM t", ()).await.unwrap();
    let total: i64 = cursor.fetch_one().await.unwrap().unwrap().get(0).unwrap();
    assert_eq!(total, done);
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_serve_what_a_connection_has_seen() {
    let three = Three::start("session").await;
    let writer = three.connect("").await;
    writer.execute("CREATE TABLE t (a)", ()).await.unwrap();
    for number in 0..3 {
        let options = ConnectOptions { consistency: Some(Level::Session), ..Default::default() };
        let reader = three.nodes[number].connect("app", options);
        for round in 0..20 {
            writer.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
            reader.wait_for(writer.last_index()).await.unwrap();
            assert_eq!(count(&reader).await, (number * 20 + round + 1) as i64);
        }
        // What a connection writes itself it sees wherever it reads.
        reader.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
        reader.execute("DELETE FROM t WHERE a = 2", ()).await.unwrap();
        assert_eq!(count(&reader).await, (number * 20 + 20) as i64);
    }
    three.stop().await;
}
