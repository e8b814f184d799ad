//! Clients that write and read through the public client, and remember what they were told.
//!
//! 1. A move takes an amount from one account, gives it to another and writes both into the books,
//!    in one transaction: the sum of all accounts never changes, and the books explain each.
//! 2. Every transaction writes its id into `dqlite_demo_log`, so that it can be found, or missed.
//! 3. A client reads what it was told to have written, and the sum: wrong answers are remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result};
use dqlite_client::{Client, Error};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::DATABASE;
use super::record::Record;
use crate::image::quoted;

/// How many accounts there are.
pub const ACCOUNTS: i64 = 100;
/// What each begins with.
pub const BALANCE_AT_FIRST: i64 = 1_000;

const SETUP: [&str; 6] = [
    "DROP TABLE IF EXISTS dqlite_demo_log",
    "DROP TABLE IF EXISTS dqlite_demo_account",
    "DROP TABLE IF EXISTS dqlite_demo_move",
    "CREATE TABLE dqlite_demo_log(
        id INTEGER PRIMARY KEY, client INTEGER NOT NULL, at TEXT NOT NULL)",
    "CREATE TABLE dqlite_demo_account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
    "CREATE TABLE dqlite_demo_move(
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, target INTEGER NOT NULL,
        amount INTEGER NOT NULL)",
];
const LOG: &str = "INSERT INTO dqlite_demo_log(id, client, at) VALUES(?, ?, datetime('now'))";
const TAKE: &str = "UPDATE dqlite_demo_account SET balance = balance - ? WHERE id = ?";
const GIVE: &str = "UPDATE dqlite_demo_account SET balance = balance + ? WHERE id = ?";
const BOOK: &str = "INSERT INTO dqlite_demo_move(id, source, target, amount) VALUES(?, ?, ?, ?)";
const SUM: &str = "SELECT sum(balance) FROM dqlite_demo_account";
const FIND: &str = "SELECT count(*) FROM dqlite_demo_log WHERE id = ?";

/// Statements that read what was imported.
#[derive(Clone, Debug)]
pub struct Reads(Arc<[String]>);

impl Reads {
    /// What a shop asks.
    pub fn of_the_shop() -> Self {
        let reads = [
            "SELECT name, total_cents FROM invoice_total JOIN invoice ON invoice_id = invoice.id \
             JOIN customer ON customer_id = customer.id WHERE NOT paid AND city = 'Oslo'",
            "SELECT product.name, sum(quantity) FROM invoice_line JOIN product ON product.id = \
             product_id GROUP BY product_id ORDER BY 2 DESC LIMIT 5",
            "SELECT city, count(*) FROM customer GROUP BY city",
        ];
        Self(reads.map(str::to_owned).into())
    }

    /// The size and some rows of each table.
    pub fn of_tables(tables: &[String]) -> Self {
        let reads = tables.iter().flat_map(|table| {
            let table = quoted(table);
            [format!("SELECT count(*) FROM {table}"), format!("SELECT * FROM {table} LIMIT 20")]
        });
        Self(reads.collect())
    }
}

/// The tables of the workload, in a database.
#[derive(Debug)]
pub struct Workload {
    client: Client,
    reads: Reads,
}

impl Workload {
    /// Makes the tables and the accounts.
    ///
    /// # Errors
    /// The cluster refused.
    pub async fn prepare(client: Client, reads: Reads) -> Result<Self> {
        for statement in SETUP {
            client.execute(statement, ()).await.context("cannot make the demo's tables")?;
        }
        let accounts = format!(
            "WITH RECURSIVE n(id) AS ( \
                 SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {ACCOUNTS}) \
             INSERT INTO dqlite_demo_account SELECT id, {BALANCE_AT_FIRST} FROM n"
        );
        client.execute(&accounts, ()).await.context("cannot open the demo's accounts")?;
        Ok(Self { client, reads })
    }

    /// The address of the node that leads.
    ///
    /// # Errors
    /// None was found in time.
    pub async fn leader(&self) -> Result<String> {
        Ok(self.client.cluster().leader().await?.address.to_string())
    }

    /// Starts the clients, each a client of its own.
    pub fn start(&self, clients: u32, connect: impl Fn(&str) -> Client) -> Running {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for number in 1..=clients {
            let worker = Worker {
                number,
                client: connect(DATABASE),
                reads: self.reads.clone(),
                random: SmallRng::seed_from_u64(number.into()),
                record: Record::new(number),
                shared: shared.clone(),
            };
            tasks.spawn(worker.work());
        }
        Running { tasks, shared }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Running {
    tasks: JoinSet<Record>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    reads: AtomicU64,
}

impl Running {
    /// How far they are.
    pub fn summary(&self) -> String {
        let acknowledged = self.shared.acknowledged.load(Ordering::Relaxed);
        let reads = self.shared.reads.load(Ordering::Relaxed);
        format!("{acknowledged} transactions acknowledged, {reads} reads")
    }

    /// Lets each finish what it is at, and gives what they remember.
    ///
    /// # Errors
    /// One panicked.
    pub async fn stop(mut self) -> Result<Vec<Record>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut records = Vec::new();
        while let Some(record) = self.tasks.join_next().await {
            records.push(record.context("a client failed")?);
        }
        Ok(records)
    }
}

struct Worker {
    number: u32,
    client: Client,
    reads: Reads,
    random: SmallRng,
    record: Record,
    shared: Arc<Shared>,
}

impl Worker {
    async fn work(mut self) -> Record {
        while !self.shared.stop.load(Ordering::Relaxed) {
            match self.random.random_range(0..10) {
                0..4 => self.insert().await,
                4..7 => self.move_amount().await,
                7 => self.find_own().await,
                8 => self.sum().await,
                _ => self.read_imported().await,
            }
        }
        self.record.end();
        self.record
    }

    async fn insert(&mut self) {
        let id = self.record.id_of_insert();
        let outcome = self.client.execute(LOG, (id, self.number)).await;
        self.settle(id, outcome);
    }

    /// (1)
    async fn move_amount(&mut self) {
        let (id, number) = (self.record.id_of_move(), self.number);
        let source = self.random.random_range(1..=ACCOUNTS);
        let target = self.random.random_range(1..=ACCOUNTS);
        let amount: i64 = self.random.random_range(1..=50);
        let outcome = self
            .client
            .transaction(move |transaction| async move {
                transaction.execute(TAKE, (amount, source)).await?;
                transaction.execute(GIVE, (amount, target)).await?;
                transaction.execute(BOOK, (id, source, target, amount)).await?;
                transaction.execute(LOG, (id, number)).await?;
                Ok(())
            })
            .await;
        self.settle(id, outcome);
    }

    fn settle<T>(&mut self, id: i64, outcome: Result<T, Error>) {
        if self.record.settle(id, outcome) {
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// (3)
    async fn find_own(&mut self) {
        let Some(&id) = self.record.acknowledged.last() else { return };
        let found = self.number_of(FIND, Some(id)).await;
        let judged = found.map(|found| {
            (found != 1).then(|| format!("{id} was acknowledged, and read {found} times"))
        });
        self.read(judged);
    }

    /// (3)
    async fn sum(&mut self) {
        const EXPECTED: i64 = ACCOUNTS * BALANCE_AT_FIRST;
        let sum = self.number_of(SUM, None).await;
        let judged = sum.map(|sum| {
            (sum != EXPECTED).then(|| format!("the accounts sum up to {sum}, not {EXPECTED}"))
        });
        self.read(judged);
    }

    async fn read_imported(&mut self) {
        let Reads(reads) = &self.reads;
        if reads.is_empty() {
            return;
        }
        let sql = &reads[self.random.random_range(0..reads.len())];
        let rows = self.client.query_all(sql, ()).await;
        self.read(rows.map(|_| None));
    }

    async fn number_of(&self, sql: &str, parameter: Option<i64>) -> Result<i64, Error> {
        let rows = self.client.query_all(sql, Vec::from_iter(parameter)).await?;
        let row = rows.first().ok_or_else(|| Error::aborted("no row came"))?;
        row.get(0)
    }

    fn read(&mut self, judged: Result<Option<String>, Error>) {
        if judged.is_ok() {
            self.shared.reads.fetch_add(1, Ordering::Relaxed);
        }
        self.record.read(judged);
    }
}
