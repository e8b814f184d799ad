//! `dqlite demo`: three nodes, a workload, a leader killed, and a reckoning.
//!
//! ```text
//!  shop or user's file ─ image ─ import ─> three node processes
//!  workload: clients insert, move amounts, read ──> records of what each was told
//!       SIGKILL the leader ............ start it again
//!  all nodes at one index ─ dump each ─ inspect ─> verdict: records against copies
//! ```
//!
//! The demo fails unless every acknowledged transaction is on every node, no refused one is on any,
//! those of unknown outcome are whole on all or absent on all, and the copies are identical bytes.

mod copies;
mod record;
mod shop;
mod verdict;
mod workload;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::HumanBytes;
use tokio::time::sleep;

use crate::image::Image;
use crate::import;
use crate::processes::{ProcessCluster, interrupted};
use crate::progress::{Progress, Unit};
use verdict::Verdict;
use workload::{Reads, Workload};

/// Watch a cluster of three lose its leader, and nothing else.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An SQLite file to work on, which is only read [default: a generated shop]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// How long the workload runs
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(4..=600))]
    seconds: u64,
    /// How many clients work at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=200))]
    clients: u32,
}

/// The database's name in the cluster.
const DATABASE: &str = "demo";
const NODES: usize = 3;

/// Runs the demo and prints what it found.
///
/// # Errors
/// Something was lost or differs, or the demo could not be run.
pub async fn run(arguments: Arguments) -> Result<()> {
    tokio::select! {
        outcome = demonstrate(arguments) => outcome,
        signal = interrupted() => bail!("stopped by {}", signal?),
    }
}

async fn demonstrate(arguments: Arguments) -> Result<()> {
    let begun = Instant::now();
    let (image, reads) = prepare(arguments.database).await?;
    println!("starting {NODES} node processes");
    let mut cluster = ProcessCluster::start(NODES).await?;
    println!("  {}: all are voters", cluster.addresses().join(", "));

    let client = cluster.client(DATABASE);
    import::send(&client, DATABASE, &image).await.map_err(|error| cluster.with_logs(error))?;
    println!("imported {} rows, {}: {}", image.row_count, HumanBytes(image.bytes), image.how);

    let workload =
        Workload::prepare(client, reads).await.map_err(|error| cluster.with_logs(error))?;
    println!("{} clients write and read for {} s", arguments.clients, arguments.seconds);
    let events = disturb(&mut cluster, &workload, arguments.seconds, arguments.clients).await;
    let Disturbed { records, killed } = events.map_err(|error| cluster.with_logs(error))?;

    println!("waiting until all nodes have applied the same");
    let copies = copies::take(&mut cluster, DATABASE, &image)
        .await
        .map_err(|error| cluster.with_logs(error))?;
    let verdict = Verdict::of(&records, &copies);
    println!("{}", verdict.table(&copies, &killed));
    print!("{verdict}");
    println!("took {:.1} s in all", begun.elapsed().as_secs_f64());
    if !verdict.problems.is_empty() {
        bail!("{}", verdict.problems.join("; "));
    }
    Ok(())
}

/// The database to import, and what can be read from it.
async fn prepare(file: Option<PathBuf>) -> Result<(Image, Reads)> {
    let work = move || {
        let Some(file) = file else {
            println!("making a shop: customers, products, invoices and their lines");
            let dir = tempfile::Builder::new().prefix("dqlite-shop-").tempdir()?;
            let file = dir.path().join("shop.sqlite");
            shop::make(&file)?;
            return Ok((Image::of(&file)?, Reads::of_the_shop()));
        };
        println!("reading {}", file.display());
        let image = Image::of(&file)?;
        let reads = Reads::of_tables(&image.tables);
        Ok((image, reads))
    };
    tokio::task::spawn_blocking(work).await?
}

struct Disturbed {
    records: Vec<record::Record>,
    /// The address of the node that was killed.
    killed: String,
}

/// Runs the workload; kills the leader at two fifths of the time, starts it again at seven tenths.
async fn disturb(
    cluster: &mut ProcessCluster,
    workload: &Workload,
    seconds: u64,
    clients: u32,
) -> Result<Disturbed> {
    let total = Duration::from_secs(seconds);
    let (kill_at, restart_at) = (total * 2 / 5, total * 7 / 10);
    let mut progress = Progress::begin("", seconds, Unit::Seconds);
    let running = workload.start(clients, |client| cluster.client(client));
    let begun = Instant::now();
    let mut killed: Option<(usize, String)> = None;
    let mut is_back = false;
    while begun.elapsed() < total {
        sleep(Duration::from_millis(100)).await;
        cluster.check_alive()?;
        let elapsed = begun.elapsed();
        progress.at(elapsed.as_secs());
        progress.describe(running.summary());
        if killed.is_none() && elapsed >= kill_at {
            let address = workload.leader().await?;
            let number = cluster.number_of(&address)?;
            cluster.kill(number).await?;
            progress.note(&format!("{:4.1} s  killed the leader, {address}", seconds_of(begun)));
            killed = Some((number, address));
        }
        if let Some((number, address)) = &killed
            && !is_back
            && elapsed >= restart_at
        {
            cluster.restart(*number).await?;
            progress.note(&format!("{:4.1} s  started {address} again", seconds_of(begun)));
            is_back = true;
        }
    }
    let records = running.stop().await?;
    progress.finish();
    let Some((number, address)) = killed else { bail!("the leader was not killed") };
    if !is_back {
        cluster.restart(number).await?;
    }
    Ok(Disturbed { records, killed: address })
}

fn seconds_of(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}
