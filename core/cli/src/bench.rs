//! `dqlite bench`: writes and reads a second, and what they cost.

mod load;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dqlite_client::{Client, Cluster};

use crate::output;
use crate::processes::{ProcessCluster, interrupted};
use crate::progress::{Progress, Unit};
use crate::tls::TlsArguments;
use load::{Load, Work};

/// Measure writes and reads of a cluster.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Addresses of a running cluster [default: three nodes are started for the run]
    #[arg(long, short, value_delimiter = ',', value_name = "ADDRESS,…")]
    servers: Vec<String>,
    #[command(flatten)]
    tls: TlsArguments,
    /// The name of a database that the run may write to; its tables stay
    #[arg(long, short, default_value = "dqlite_bench")]
    database: String,
    /// How long each measurement takes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many clients, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    clients: Vec<u32>,
}

const NODES: usize = 3;
const SETUP: [&str; 2] = [
    "DROP TABLE IF EXISTS dqlite_bench",
    "CREATE TABLE dqlite_bench(id INTEGER PRIMARY KEY, client INTEGER, payload TEXT)",
];

/// Measures and prints a table.
///
/// # Errors
/// The cluster cannot be had, or a statement failed.
pub async fn run(arguments: &Arguments) -> Result<()> {
    if arguments.servers.is_empty() && arguments.tls.is_given() {
        bail!("the nodes that bench starts itself speak no TLS; name --servers that do");
    }
    // Held to the end: the nodes go with it.
    let processes = match arguments.servers.as_slice() {
        [] => Some(ProcessCluster::start(NODES).await?),
        _ => None,
    };
    let servers = match &processes {
        Some(processes) => processes.addresses(),
        None => arguments.servers.clone(),
    };
    let measured = async {
        tokio::select! {
            outcome = measure(arguments, &servers) => outcome,
            signal = interrupted() => bail!("stopped by {}", signal?),
        }
    };
    let table = measured.await.map_err(|error| match &processes {
        Some(processes) => processes.with_logs(error),
        None => error,
    })?;
    println!("{table}");
    println!("a write is one INSERT with 100 bytes of text, a read one row by its key");
    Ok(())
}

async fn measure(arguments: &Arguments, servers: &[String]) -> Result<comfy_table::Table> {
    let env = arguments.tls.client_env()?;
    let client = Client::new(env.clone(), servers.iter().cloned(), &arguments.database);
    for statement in SETUP {
        client.execute(statement, ()).await.context("cannot make the bench's table")?;
    }
    let cluster = client.cluster();
    let duration = Duration::from_secs(arguments.seconds);
    let mut table = output::table([
        "clients",
        "writes/s",
        "p50 ms",
        "p99 ms",
        "flushes/commit",
        "bytes/commit",
        "reads/s",
        "p50 ms",
        "p99 ms",
    ]);
    let steps = 2 * arguments.clients.len() as u64;
    let mut progress = Progress::begin("", steps * arguments.seconds, Unit::Seconds);
    for (number, &clients) in (0..).zip(&arguments.clients) {
        let connect = || Client::new(env.clone(), servers.iter().cloned(), &arguments.database);
        progress.describe(format!("{clients} clients write"));
        let before = Counters::read(&cluster).await?;
        let writes = load::run(Work::Write, clients, duration, connect).await?;
        let cost = Counters::read(&cluster).await?.since(&before, writes.count())?;
        progress.at((2 * number + 1) * arguments.seconds);
        progress.describe(format!("{clients} clients read"));
        let reads = load::run(Work::Read, clients, duration, connect).await?;
        progress.at((2 * number + 2) * arguments.seconds);
        let mut cells = vec![clients.to_string()];
        cells.extend(rates(&writes));
        cells.extend([format!("{:.3}", cost.flushes), format!("{:.0}", cost.bytes)]);
        cells.extend(rates(&reads));
        table.add_row(cells);
    }
    progress.finish();
    Ok(table)
}

fn rates(load: &Load) -> [String; 3] {
    let ms = |quantile| format!("{:.2}", load.latency_us(quantile) as f64 / 1000.0);
    [format!("{:.0}", load.rate()), ms(0.5), ms(0.99)]
}

/// The counters of the leader's log.
#[derive(Debug, Default, PartialEq)]
struct Counters {
    address: String,
    flushes: u64,
    bytes: u64,
}

#[derive(Debug, PartialEq)]
struct CostOfCommit {
    flushes: f64,
    bytes: f64,
}

impl Counters {
    async fn read(cluster: &Cluster) -> Result<Self> {
        let address = cluster.leader().await?.address.to_string();
        let metrics = cluster.metrics(&address).await?;
        let value = |name: &str| {
            let metric = metrics.iter().find(|metric| *metric.name == *name);
            metric.map(|metric| metric.value).with_context(|| format!("{address} has no {name}"))
        };
        Ok(Self { flushes: value("log.flushes")?, bytes: value("log.bytes")?, address })
    }

    /// What each of `commits` has cost since `before`.
    fn since(&self, before: &Self, commits: u64) -> Result<CostOfCommit> {
        if self.address != before.address {
            bail!("the lead went from {} to {} meanwhile", before.address, self.address);
        }
        let each = |now: u64, then: u64| now.saturating_sub(then) as f64 / commits.max(1) as f64;
        Ok(CostOfCommit {
            flushes: each(self.flushes, before.flushes),
            bytes: each(self.bytes, before.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_differences_on_one_leader() {
        let at =
            |address: &str, flushes, bytes| Counters { address: address.into(), flushes, bytes };
        let cost = at("a", 15, 5000).since(&at("a", 10, 1000), 10).unwrap();
        assert_eq!(cost, CostOfCommit { flushes: 0.5, bytes: 400.0 });
        assert!(at("b", 1, 1).since(&at("a", 0, 0), 1).is_err());
    }
}
