//! Each node's copy of the database, all at the same index, and what is in it.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dqlite_client::Cluster;
use dqlite_wire::NodeStatus;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::workload::BALANCE_AT_FIRST;
use crate::dump;
use crate::image::{Image, count_rows};
use crate::output::hexadecimal;
use crate::processes::ProcessCluster;

/// How long a node that was down may take to apply what it missed.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// One node's copy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// The node.
    pub address: String,
    /// The index that it had applied when it was asked.
    pub index: u64,
    /// Of all bytes.
    pub sha256: String,
    /// What SQLite says of it: "ok", or what is wrong.
    pub integrity: String,
    /// The transactions that are there.
    pub ids: HashSet<i64>,
    /// Moves of which only a part is there.
    pub torn_moves: u64,
    /// Accounts whose balance the moves do not explain.
    pub wrong_accounts: u64,
    /// Imported rows that are missing; below zero if there are too many.
    pub missing_rows: i64,
}

/// Waits until all nodes have applied the same, and takes their copies.
///
/// # Errors
/// They do not come to the same index in time, or a copy cannot be had or read.
pub async fn take(
    processes: &mut ProcessCluster,
    database: &str,
    imported: &Image,
) -> Result<Vec<Copy>> {
    let client = processes.client(database);
    let cluster = client.cluster();
    let addresses = processes.addresses();
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    loop {
        processes.check_alive()?;
        let index = settled(&cluster, &addresses, deadline).await?;
        let mut dumps = Vec::new();
        for address in &addresses {
            dumps.push(dump::image(&cluster, address, database).await?);
        }
        // Whatever was applied meanwhile may be in one copy and not in another.
        if common_index(&statuses(&cluster, &addresses).await?) != Some(index) {
            continue;
        }
        let mut copies = Vec::new();
        for (number, (address, dump)) in addresses.iter().zip(dumps).enumerate() {
            let path = processes.dir().join(format!("copy-{number}.sqlite"));
            tokio::fs::write(&path, &dump).await?;
            let sha256 = hexadecimal(&Sha256::digest(&dump)).to_lowercase();
            drop(dump);
            let (row_count, tables) = (imported.row_count, imported.tables.clone());
            let copy = tokio::task::spawn_blocking(move || inspect(&path, &tables, row_count))
                .await?
                .with_context(|| format!("the copy of {address} cannot be read"))?;
            copies.push(Copy { address: address.clone(), index, sha256, ..copy });
        }
        return Ok(copies);
    }
}

async fn settled(cluster: &Cluster, addresses: &[String], deadline: Instant) -> Result<u64> {
    loop {
        let statuses = statuses(cluster, addresses).await;
        if let Ok(statuses) = &statuses
            && let Some(index) = common_index(statuses)
        {
            return Ok(index);
        }
        if Instant::now() >= deadline {
            let indexes: Vec<_> = statuses?.iter().map(places).collect();
            bail!("the nodes do not come to the same index: {}", indexes.join(", "));
        }
        sleep(POLL).await;
    }
}

async fn statuses(cluster: &Cluster, addresses: &[String]) -> Result<Vec<NodeStatus>> {
    let mut statuses = Vec::new();
    for address in addresses {
        let status = cluster.status(address).await;
        statuses.push(status.with_context(|| format!("{address} does not tell its status"))?);
    }
    Ok(statuses)
}

fn places(status: &NodeStatus) -> String {
    format!("{} of {}", status.applied_index, status.last_log_index)
}

/// The index to which all have applied everything, if there is one.
fn common_index(statuses: &[NodeStatus]) -> Option<u64> {
    let index = statuses.first()?.applied_index;
    let is_there = |status: &NodeStatus| {
        status.applied_index == index && status.last_log_index == index && status.leader_id != 0
    };
    statuses.iter().all(is_there).then_some(index)
}

/// Reads a copy with plain SQLite.
fn inspect(path: &Path, tables: &[String], row_count: u64) -> Result<Copy> {
    let copy = Connection::open(path)?;
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0));
    let torn_moves = count(
        "SELECT (SELECT count(*) FROM dqlite_demo_log \
                 WHERE id % 2 = 0 AND id NOT IN (SELECT id FROM dqlite_demo_move)) \
              + (SELECT count(*) FROM dqlite_demo_move \
                 WHERE id NOT IN (SELECT id FROM dqlite_demo_log))",
    )?;
    let wrong_accounts = count(&format!(
        "WITH change(account, amount) AS ( \
             SELECT source, -amount FROM dqlite_demo_move \
             UNION ALL SELECT target, amount FROM dqlite_demo_move), \
         expected(account, balance) AS ( \
             SELECT account, {BALANCE_AT_FIRST} + sum(amount) FROM change GROUP BY account) \
         SELECT count(*) FROM dqlite_demo_account LEFT JOIN expected ON account = id \
         WHERE dqlite_demo_account.balance <> coalesce(expected.balance, {BALANCE_AT_FIRST})"
    ))?;
    let mut statement = copy.prepare("SELECT id FROM dqlite_demo_log")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Copy {
        integrity: copy.query_row("PRAGMA integrity_check", [], |row| row.get(0))?,
        ids,
        torn_moves: torn_moves.cast_unsigned(),
        wrong_accounts: wrong_accounts.cast_unsigned(),
        missing_rows: row_count.cast_signed() - count_rows(&copy, tables)?.cast_signed(),
        ..Copy::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_common_only_when_everything_is_applied() {
        let at = |last_log_index, applied_index| NodeStatus {
            leader_id: 1,
            last_log_index,
            applied_index,
            ..NodeStatus::default()
        };
        assert_eq!(common_index(&[at(7, 7), at(7, 7)]), Some(7));
        assert_eq!(common_index(&[at(7, 7), at(7, 6)]), None);
        assert_eq!(common_index(&[at(7, 7), at(8, 7)]), None);
        assert_eq!(common_index(&[NodeStatus::default()]), None);
    }

    fn inspected(change: &str) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let copy = Connection::open(&path).unwrap();
        copy.execute_batch(&format!(
            "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2);
             CREATE TABLE dqlite_demo_log(id INTEGER PRIMARY KEY);
             CREATE TABLE dqlite_demo_move(id INTEGER PRIMARY KEY, source, target, amount);
             CREATE TABLE dqlite_demo_account(id INTEGER PRIMARY KEY, balance);
             INSERT INTO dqlite_demo_account VALUES(1, 995), (2, 1005), (3, 1000);
             INSERT INTO dqlite_demo_move VALUES(2, 1, 2, 10), (4, 2, 1, 5);
             INSERT INTO dqlite_demo_log VALUES(1), (2), (4); {change}"
        ))
        .unwrap();
        drop(copy);
        inspect(&path, &["t".to_owned()], 2).unwrap()
    }

    #[test]
    fn a_sound_copy_has_nothing_to_report() {
        let copy = inspected("");
        assert_eq!(copy.ids, HashSet::from([1, 2, 4]));
        assert_eq!((copy.torn_moves, copy.wrong_accounts, copy.missing_rows), (0, 0, 0));
        assert_eq!(copy.integrity, "ok");
    }

    #[test]
    fn torn_moves_and_wrong_accounts_are_counted() {
        assert_eq!(inspected("DELETE FROM dqlite_demo_log WHERE id = 4").torn_moves, 1);
        assert_eq!(inspected("INSERT INTO dqlite_demo_log VALUES(6)").torn_moves, 1);
        let copy = inspected("UPDATE dqlite_demo_account SET balance = 1 WHERE id = 3");
        assert_eq!(copy.wrong_accounts, 1);
        assert_eq!(inspected("DELETE FROM dqlite_demo_move WHERE id = 2").wrong_accounts, 2);
        assert_eq!(inspected("DELETE FROM t WHERE a = 1").missing_rows, 1);
    }
}
