//! What must be true once a cluster is whole again and nobody writes.
//!
//! 1. Soon after the last fault a write succeeds, and all nodes come to have applied all there is.
//! 2. The databases of all nodes are the same, byte by byte, and SQLite finds no fault in them. So
//!    are their records of outcomes.
//! 3. What clients were told agrees with what is there: see `history`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dqlite_client::Client;
use rusqlite::{Connection, Row};
use tokio::time::{Instant, sleep, timeout};

use super::cluster::Cluster;
use super::plan::{NODES, Plan};
use super::trace::{Trace, traced};
use crate::history::{
    Access, History, Moment, Operation, Outcome, Table, check_entries, check_registers,
};
use crate::workload::{DATABASE, LARGE_REGISTER, Workload};

/// How long a healed cluster may take to be of use again, in simulated time.
const HEALING: Duration = Duration::from_secs(6);

/// Waits until a write succeeds. (1)
pub async fn progress(work: &Workload) -> Result<()> {
    let client = work.client();
    let writes = async {
        loop {
            let entry = work.history().lock().begin(Table::Entry);
            let insert = "INSERT INTO entry VALUES (?, 'probe')";
            let result = client.execute(insert, (entry as i64,)).await;
            let outcome = match &result {
                Ok(_) => Outcome::Acknowledged,
                Err(error) => Workload::outcome(error.outcome),
            };
            work.history().lock().end(entry, outcome);
            if result.is_ok() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(HEALING, writes).await.context("no write succeeds after all faults are mended")
}

/// Waits until all nodes have applied all there is. (1)
pub async fn settled(cluster: &Cluster) -> Result<()> {
    let deadline = Instant::now() + HEALING;
    while !cluster.is_settled() {
        if Instant::now() > deadline {
            bail!("the nodes do not come together: {:?}", cluster.statuses());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Compares the records of outcomes. (2)
pub fn records(cluster: &Cluster) -> Result<()> {
    let records = cluster.records();
    let different: BTreeSet<_> = records.values().collect();
    let lengths = records.iter().map(|(host, record)| (host, record.len()));
    ensure!(
        records.len() == NODES.len() && different.len() == 1,
        "the records of outcomes differ, in bytes: {:?}",
        lengths.collect::<Vec<_>>()
    );
    Ok(())
}

/// The database of each node. (2)
pub async fn images(client: &Client, trace: &Trace) -> Result<Vec<Vec<u8>>> {
    let mut images = Vec::new();
    for host in NODES {
        let files = client.cluster().dump(&Plan::address(host), DATABASE).await?;
        let file = files.first().with_context(|| format!("{host} gives no file"))?;
        traced!(trace, "{host} has {} bytes", file.content.len());
        images.push(file.content.to_vec());
    }
    Ok(images)
}

/// Judges the databases and what clients were told. Gives all that is wrong.
pub fn judge(images: &[Vec<u8>], history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (image, host) in images.iter().zip(NODES).skip(1) {
        if *image != images[0] {
            wrong.push(describe_difference(&images[0], image, host)); // (2)
        }
    }
    for (image, host) in images.iter().zip(NODES) {
        match judge_one(image, history) {
            Ok(found) => wrong.extend(found.into_iter().map(|it| format!("{host}: {it}"))),
            Err(error) => wrong.push(format!("{host}: {error:#}")),
        }
    }
    wrong
}

fn judge_one(image: &[u8], history: &History) -> Result<Vec<String>> {
    let database = open(image)?;
    let check: String = database.query_row("PRAGMA integrity_check", (), |row| row.get(0))?;
    ensure!(check == "ok", "integrity_check: {check}");
    let numbers = |sql: &str| -> Result<Vec<(u64, u64)>> {
        let mut statement = database.prepare(sql)?;
        let pair = |row: &Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64));
        Ok(statement.query_map((), pair)?.collect::<Result<_, _>>()?)
    };
    let mut wrong = Vec::new();
    for (table, name) in [(Table::Entry, "entry"), (Table::Transfer, "transfer")] {
        let found = numbers(&format!("SELECT number, 0 FROM {name}"))?;
        let found: Vec<_> = found.into_iter().map(|(number, _)| number).collect();
        let shown = if table == Table::Entry { &history.listings[..] } else { &[] };
        wrong.extend(check_entries(&history.of_table(table), shown, &found).err());
    }
    // What is there in the end is what a last read finds.
    let mut registers = numbers("SELECT id, value FROM register")?;
    registers.extend(numbers(&format!("SELECT DISTINCT {LARGE_REGISTER}, value FROM part"))?);
    let (begun, ended) = (Moment::MAX - 1, Moment::MAX);
    let last = registers.into_iter().map(|(register, value)| Operation {
        register,
        begun,
        ended,
        access: Access::Read { value },
    });
    let operations: Vec<_> = history.operations.iter().copied().chain(last).collect();
    wrong.extend(check_registers(&operations).err());
    Ok(wrong.into_iter().flatten().collect())
}

/// Opens the bytes of a database, as a rollback-mode one: in memory there is no other.
fn open(image: &[u8]) -> Result<Connection> {
    let mut image = image.to_vec();
    ensure!(image.len() > 100, "a database of {} bytes", image.len());
    image[18..20].fill(1);
    let mut database = Connection::open_in_memory()?;
    let length = image.len();
    database.deserialize_read_exact("main", &image[..], length, true)?;
    Ok(database)
}

fn describe_difference(first: &[u8], other: &[u8], host: &str) -> String {
    const PAGE_BYTES: usize = 4096;
    let pages = first.chunks(PAGE_BYTES).zip(other.chunks(PAGE_BYTES)).enumerate();
    let differ: Vec<_> = pages.filter(|(_, (a, b))| a != b).map(|(page, _)| page + 1).collect();
    format!(
        "{host} differs from {}: {} and {} bytes, pages {differ:?}",
        NODES[0],
        other.len(),
        first.len()
    )
}
