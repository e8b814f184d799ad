//! A cluster of `dqlite node` processes of this very program, for `demo` and `bench`.
//!
//! 1. No process outlives this one: each is killed when its [`NodeProcess`] is dropped, and stops
//!    by itself when the pipe to its standard input closes, however this program ends.
//! 2. Ports are taken below the range from which systems choose the ports of outgoing connections,
//!    so that a node that is started again finds its port free.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dqlite_client::{Client, Cluster};
use dqlite_env::Env;
use dqlite_wire::Role;
use rand::Rng;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

/// How long a node may take to listen, and a cluster to form.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often something that comes about by itself is looked at.
const POLL: Duration = Duration::from_millis(25);
/// How much of a node's log an error shows.
const LOG_LINES_SHOWN: usize = 12;
/// (2)
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// One node.
#[derive(Debug)]
pub struct NodeProcess {
    /// Where it is reached.
    pub address: String,
    dir: PathBuf,
    join: Option<String>,
    child: Option<Child>,
}

/// Nodes with their files in a temporary folder, all gone when this is dropped.
#[derive(Debug)]
pub struct ProcessCluster {
    nodes: Vec<NodeProcess>,
    dir: TempDir,
}

impl ProcessCluster {
    /// Starts `count` nodes and waits until all are voters.
    ///
    /// # Errors
    /// A node does not start, or they do not form a cluster in time; the error shows their logs.
    pub async fn start(count: usize) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("dqlite-").tempdir()?;
        let mut nodes: Vec<NodeProcess> = Vec::new();
        for (number, address) in (1..).zip(free_addresses(count)?) {
            let join = nodes.first().map(|first| first.address.clone());
            let dir = dir.path().join(format!("node-{number}"));
            nodes.push(NodeProcess { address, dir, join, child: None });
        }
        let mut cluster = Self { nodes, dir };
        for number in 0..count {
            cluster.nodes[number].start().await?;
        }
        cluster.form().await.map_err(|error| cluster.with_logs(error))?;
        Ok(cluster)
    }

    /// The nodes' addresses, in the order of their start.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.address.clone()).collect()
    }

    /// The folder for whatever goes with the cluster.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client of the database `name`.
    pub fn client(&self, name: &str) -> Client {
        Client::new(Env::real(), self.addresses(), name)
    }

    /// The node with this address.
    ///
    /// # Errors
    /// There is none.
    pub fn number_of(&self, address: &str) -> Result<usize> {
        let number = self.nodes.iter().position(|node| node.address == address);
        number.with_context(|| format!("no node has the address {address}"))
    }

    /// Kills a node with SIGKILL and waits until it is dead.
    ///
    /// # Errors
    /// It is not running.
    pub async fn kill(&mut self, number: usize) -> Result<()> {
        let Some(mut child) = self.nodes[number].child.take() else { bail!("it is not running") };
        child.kill().await?;
        Ok(())
    }

    /// Starts a node again, with the same files.
    ///
    /// # Errors
    /// It does not start; the error shows its log.
    pub async fn restart(&mut self, number: usize) -> Result<()> {
        self.nodes[number].start().await
    }

    /// Says which node died by itself, if one did.
    ///
    /// # Errors
    /// One did; the error shows its log.
    pub fn check_alive(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(child) = &mut node.child
                && let Some(status) = child.try_wait()?
            {
                bail!("node {} ended by itself: {status}\n{}", node.address, node.log_tail());
            }
        }
        Ok(())
    }

    /// Adds the ends of all logs to an error.
    pub fn with_logs(&self, error: anyhow::Error) -> anyhow::Error {
        let logs: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("log of {}:\n{}", node.address, node.log_tail()))
            .collect();
        anyhow::anyhow!("{error:#}\n{}", logs.join("\n"))
    }

    async fn form(&self) -> Result<()> {
        let client = self.client("");
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let voters = voters(&client.cluster()).await;
            match voters {
                Ok(voters) if voters == self.nodes.len() => return Ok(()),
                outcome if Instant::now() >= deadline => {
                    let seen = match outcome {
                        Ok(voters) => format!("{voters} voters"),
                        Err(error) => error.to_string(),
                    };
                    bail!("no cluster of {} voters came about: {seen}", self.nodes.len());
                }
                _ => sleep(POLL).await,
            }
        }
    }
}

async fn voters(cluster: &Cluster) -> Result<usize> {
    let members = cluster.members().await?;
    Ok(members.iter().filter(|member| member.role == Role::Voter).count())
}

impl NodeProcess {
    async fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let program = crate::PROGRAM.get().and_then(|program| program.split_first());
        let (program, first) = program.context("cannot tell how this program is started")?;
        let mut command = Command::new(program);
        command
            .args(first)
            .arg("node")
            .arg("--dir")
            .arg(&self.dir)
            .args(["--address", &self.address]);
        command.arg("--until-stdin-ends"); // (1)
        if let Some(join) = &self.join {
            command.args(["--join", join]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true); // (1)
        let mut child = command.spawn().context("cannot start a node")?;
        let stdout = child.stdout.take().context("the node has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(START_TIMEOUT, lines.next_line()).await;
        self.child = Some(child);
        match first {
            Ok(Ok(Some(line))) if line.starts_with("listening on") => Ok(()),
            Ok(_) => bail!("node {} did not start:\n{}", self.address, self.log_tail()),
            Err(_) => bail!("node {} is not listening yet:\n{}", self.address, self.log_tail()),
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    fn log_tail(&self) -> String {
        let Ok(log) = std::fs::read(self.log_path()) else { return String::new() };
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        shown.iter().map(|line| format!("  | {line}\n")).collect()
    }
}

/// Resolves when the user, or the system, wants this program to end.
///
/// # Errors
/// Signals cannot be watched.
pub async fn interrupted() -> Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    })
}

/// Addresses on loopback that nobody listens on.
fn free_addresses(count: usize) -> Result<Vec<String>> {
    const TRIES_MAX: usize = 1000;
    let mut random = rand::rng();
    // All are held until the last is found, so that none is found twice.
    let mut held = Vec::new();
    for _ in 0..TRIES_MAX {
        if held.len() == count {
            break;
        }
        let port = random.random_range(PORTS);
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    ensure!(held.len() == count, "there are no free ports on loopback");
    held.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_different_and_in_the_range() {
        let mut addresses = free_addresses(5).unwrap();
        for address in &addresses {
            let (_, port) = address.rsplit_once(':').unwrap();
            assert!(PORTS.contains(&port.parse().unwrap()));
        }
        addresses.dedup();
        assert_eq!(addresses.len(), 5);
    }
}
