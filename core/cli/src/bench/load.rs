//! One measurement: so many clients do the same thing for a while.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dqlite_client::Client;
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

const WRITE: &str = "INSERT INTO dqlite_bench(client, payload) VALUES(?, ?)";
const READ: &str = "SELECT client, payload FROM dqlite_bench WHERE id = ?";
const PAYLOAD_BYTES: usize = 100;
/// Latencies are kept to three digits, up to a minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What each client does, over and over.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// A transaction of one insert.
    Write,
    /// A row by its key.
    Read,
}

/// What was measured.
#[derive(Debug)]
pub struct Load {
    latencies_us: Histogram<u64>,
    elapsed: Duration,
}

impl Load {
    /// How many were answered.
    pub fn count(&self) -> u64 {
        self.latencies_us.len()
    }

    /// How many a second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which this share was answered.
    pub fn latency_us(&self, quantile: f64) -> u64 {
        self.latencies_us.value_at_quantile(quantile)
    }
}

/// Measures; every client has a connection of its own.
///
/// # Errors
/// A statement failed.
pub async fn run(
    work: Work,
    clients: u32,
    duration: Duration,
    connect: impl Fn() -> Client,
) -> Result<Load> {
    let mut connected = Vec::new();
    for _ in 0..clients {
        let client = connect();
        client.query_all("SELECT 1", ()).await.context("a client cannot connect")?;
        connected.push(client);
    }
    let row_count = row_count(&connected).await?;
    let begun = Instant::now();
    let end = begun + duration;
    let mut tasks = JoinSet::new();
    for (number, client) in (0..).zip(connected) {
        tasks.spawn(repeat(work, number, client, row_count, end));
    }
    let mut latencies_us = histogram()?;
    while let Some(part) = tasks.join_next().await {
        latencies_us.add(part??)?;
    }
    Ok(Load { latencies_us, elapsed: begun.elapsed() })
}

async fn row_count(clients: &[Client]) -> Result<i64> {
    let client = clients.first().context("no clients")?;
    let rows = client.query_all("SELECT coalesce(max(id), 1) FROM dqlite_bench", ()).await?;
    Ok(rows.first().context("no row")?.get::<i64>(0)?)
}

async fn repeat(
    work: Work,
    number: u32,
    client: Client,
    row_count: i64,
    end: Instant,
) -> Result<Histogram<u64>> {
    let mut latencies_us = histogram()?;
    let mut random = SmallRng::seed_from_u64(number.into());
    let payload = "x".repeat(PAYLOAD_BYTES);
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok(latencies_us);
        }
        match work {
            Work::Write => {
                client
                    .execute(WRITE, (number, payload.as_str()))
                    .await
                    .context("a write failed")?;
            }
            Work::Read => {
                let id = random.random_range(1..=row_count);
                client.query_all(READ, (id,)).await.context("a read failed")?;
            }
        }
        let latency_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(LATENCY_US_MAX);
        latencies_us.saturating_record(latency_us.max(1));
    }
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LATENCY_US_MAX, 3)?)
}
