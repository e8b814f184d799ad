//! `dqlite dump`: a replicated database becomes an SQLite file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use dqlite_client::Cluster;
use indicatif::HumanBytes;
use tempfile::NamedTempFile;

use crate::servers::Servers;

/// Write a replicated database to an SQLite file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    servers: Servers,
    /// The database's name
    #[arg(long, short)]
    database: String,
    /// The node to ask, which may lag behind [default: the leader]
    #[arg(long)]
    node: Option<String>,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
    /// The file to write
    file: PathBuf,
}

/// Writes the file.
///
/// # Errors
/// The node has no such database, or the file cannot be written.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let client = arguments.servers.client(&arguments.database)?;
    let cluster = client.cluster();
    let node = arguments.node.as_deref();
    let bytes =
        to_file(&cluster, node, &arguments.database, &arguments.file, arguments.force).await?;
    println!("{}: {}", arguments.file.display(), HumanBytes(bytes));
    Ok(())
}

/// Writes a node's copy of a database, the leader's if none is named; gives its size in bytes. The
/// file appears whole or not at all.
///
/// # Errors
/// The node has no such database, or the file is there and `overwrite` is not set.
pub async fn to_file(
    cluster: &Cluster,
    node: Option<&str>,
    database: &str,
    file: &Path,
    overwrite: bool,
) -> Result<u64> {
    let there = file.try_exists()?;
    ensure!(overwrite || !there, "{} is there already; --force overwrites it", file.display());
    let leader;
    let node = match node {
        Some(node) => node,
        None => {
            leader = cluster.leader().await?.address.to_string();
            &leader
        }
    };
    let content = image(cluster, node, database).await?;
    let size_bytes = content.len() as u64;
    let (file, shown) = (file.to_owned(), file.display().to_string());
    tokio::task::spawn_blocking(move || write_whole(&file, &content, overwrite))
        .await?
        .with_context(|| format!("cannot write {shown}"))?;
    Ok(size_bytes)
}

/// A node's copy of a database as one SQLite file.
///
/// # Errors
/// The node has no such database, or does not answer.
pub async fn image(cluster: &Cluster, node: &str, database: &str) -> Result<Bytes> {
    let files = cluster.dump(node, database).await?;
    let (mut main, mut rest_bytes) = (None, 0);
    for file in files {
        if *file.name == *database {
            main = Some(file.content);
        } else {
            rest_bytes += file.content.len();
        }
    }
    // A node here puts everything into the main file; one of another kind may not.
    ensure!(rest_bytes == 0, "{node} sent a WAL beside the database, which cannot be merged");
    main.with_context(|| format!("{node} did not send {database}"))
}

fn write_whole(path: &Path, content: &[u8], overwrite: bool) -> Result<()> {
    use std::io::Write;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    if overwrite {
        file.persist(path)?;
    } else {
        file.persist_noclobber(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_whole(&path, b"one", false).unwrap();
        assert!(write_whole(&path, b"two", false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
