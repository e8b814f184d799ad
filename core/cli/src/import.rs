//! `dqlite import`: an SQLite file becomes a replicated database.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use dqlite_client::Client;
use indicatif::HumanBytes;

use crate::image::Image;
use crate::progress::{Progress, Unit};
use crate::servers::Servers;

/// Make a replicated database of an SQLite file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file; it is only read
    file: PathBuf,
    #[command(flatten)]
    servers: Servers,
    /// The name of the database to be
    #[arg(long, short)]
    database: String,
    /// Replace what the database holds
    #[arg(long)]
    replace: bool,
}

/// Imports the file.
///
/// # Errors
/// The file is not a sound database, the target holds something, or the cluster refuses.
pub async fn run(arguments: Arguments) -> Result<()> {
    let begun = Instant::now();
    let client = arguments.servers.client(&arguments.database)?;
    if !arguments.replace {
        let held = object_count(&client).await?;
        ensure!(
            held == 0,
            "the database {} holds {held} tables, indexes or views; --replace replaces them",
            arguments.database
        );
    }
    let file = arguments.file.clone();
    let image = tokio::task::spawn_blocking(move || Image::of(&file)).await??;
    println!("{}: {}", arguments.file.display(), image.how);
    send(&client, &arguments.database, &image).await?;
    println!(
        "{} now holds {} rows in {} tables: {}, {:.1} s",
        arguments.database,
        image.row_count,
        image.tables.len(),
        HumanBytes(image.bytes),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Sends an image to the leader, with a bar.
///
/// # Errors
/// The leader refused it, or was lost on the way.
pub async fn send(client: &Client, database: &str, image: &Image) -> Result<()> {
    let file = tokio::fs::File::open(&image.path).await?;
    let mut progress = Progress::begin("importing", image.bytes, Unit::Bytes);
    let sent = client
        .cluster()
        .import(database, file, image.bytes, |sent_bytes| progress.at(sent_bytes))
        .await;
    progress.finish();
    sent.with_context(|| format!("the import into {database} failed"))
}

/// How many tables, indexes, views and triggers the database has.
async fn object_count(client: &Client) -> Result<i64> {
    let rows = client.query_all("SELECT count(*) FROM sqlite_schema", ()).await?;
    let row = rows.first().context("no answer")?;
    Ok(row.get::<i64>(0)?)
}
