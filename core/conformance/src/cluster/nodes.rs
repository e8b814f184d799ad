//! A cluster of node processes, of which some may be dead or paused.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dqlite::blocking::Cluster;
use dqlite::{ConnectOptions, Role};
use rand::Rng;
use tempfile::TempDir;

use super::process::Process;

/// How long a cluster may take to form, or to have a leader again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often something that comes about by itself is looked at.
const POLL: Duration = Duration::from_millis(25);
/// How long one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// See rule 2 of the module above.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

#[derive(Debug)]
struct Member {
    address: String,
    process: Option<Process>,
    paused: bool,
}

/// Nodes with their files in a temporary folder.
#[derive(Debug)]
pub(super) struct Nodes {
    members: Vec<Member>,
    folder: TempDir,
}

impl Nodes {
    /// Starts `count` nodes and waits until all are voters.
    pub fn start(count: usize) -> Result<Self> {
        let member = |address| Member { address, process: None, paused: false };
        let members = free_addresses(count)?.into_iter().map(member).collect();
        let folder = tempfile::Builder::new().prefix("dqlite-conformance-").tempdir()?;
        let mut nodes = Self { members, folder };
        nodes.restart()?;
        Ok(nodes)
    }

    /// All addresses, with commas between them.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.members.iter().map(|member| member.address.as_str()).collect();
        addresses.join(",")
    }

    /// Lets all go on that are paused, starts all that are dead, and waits until the cluster is
    /// whole: all are voters, and one leads.
    pub fn restart(&mut self) -> Result<()> {
        for number in 0..self.members.len() {
            self.resume(number)?;
            self.start_one(number)?;
        }
        let count = self.members.len();
        self.until(|nodes| {
            let members = nodes.cluster()?.members()?;
            let voters = members.iter().filter(|member| member.role == Role::Voter).count();
            ensure!(voters == count, "{voters} of {count} nodes are voters");
            nodes.cluster()?.leader()?;
            Ok(())
        })
    }

    fn start_one(&mut self, number: usize) -> Result<()> {
        if self.members[number].process.is_some() {
            return Ok(());
        }
        let join = (number > 0).then(|| self.members[0].address.clone());
        let dir = self.folder.path().join(format!("node-{number}"));
        let log = dir.with_extension("log");
        let dir = dir.to_str().context("the temporary folder's name is not UTF-8")?;
        let member = &mut self.members[number];
        let mut arguments = vec!["node", "--dir", dir, "--address", &member.address];
        arguments.extend(join.iter().flat_map(|join| ["--join", join]));
        member.process = Some(Process::start(&arguments, &log)?);
        Ok(())
    }

    /// Who leads, after a wait for one if need be.
    pub fn leader(&self) -> Result<usize> {
        let mut leader = None;
        self.until(|nodes| {
            let address = nodes.cluster()?.leader()?.address;
            let found = nodes.members.iter().position(|member| *member.address == *address);
            leader = Some(found.with_context(|| format!("{address} leads and is no node"))?);
            Ok(())
        })?;
        leader.context("there is no leader")
    }

    /// One that lives and does not lead.
    pub fn follower(&self) -> Result<usize> {
        let leader = self.leader()?;
        let living = |number: &usize| self.members[*number].process.is_some();
        let found = (0..self.members.len()).find(|number| *number != leader && living(number));
        found.context("there is no follower")
    }

    /// The address of a node.
    pub fn address(&self, number: usize) -> String {
        self.members[number].address.clone()
    }

    /// Kills a node.
    pub fn kill(&mut self, number: usize) {
        self.members[number].process = None;
        self.members[number].paused = false;
    }

    /// Kills all nodes.
    pub fn kill_all(&mut self) {
        (0..self.members.len()).for_each(|number| self.kill(number));
    }

    /// Kills leaders until too few nodes are left for another; a follower survives.
    pub fn kill_majority(&mut self) -> Result<()> {
        for _ in 0..=self.members.len() / 2 {
            let leader = self.leader()?;
            self.kill(leader);
        }
        Ok(())
    }

    /// Pauses all that do not lead.
    pub fn pause_followers(&mut self) -> Result<()> {
        let leader = self.leader()?;
        for (number, member) in (0..).zip(&mut self.members) {
            if let (Some(process), true) = (&member.process, number != leader) {
                process.pause(true)?;
                member.paused = true;
            }
        }
        Ok(())
    }

    fn resume(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        if let (Some(process), true) = (&member.process, member.paused) {
            process.pause(false)?;
        }
        member.paused = false;
        Ok(())
    }

    /// Has another node lead, and gives its number.
    pub fn transfer(&self) -> Result<usize> {
        let before = self.leader()?;
        self.until(|nodes| Ok(nodes.cluster()?.transfer(0)?))?;
        self.until(|nodes| {
            ensure!(nodes.leader()? != before, "the same node still leads");
            Ok(())
        })?;
        self.leader()
    }

    /// Waits until all that live have all that the leader has committed.
    pub fn settle(&self, database: &str) -> Result<()> {
        let url = format!("dqlite://{}/{database}", self.address(self.leader()?));
        let writer = dqlite::blocking::connect(&url, ConnectOptions::default())?;
        writer.execute("SELECT count(*) FROM sqlite_schema", ())?;
        for member in self.members.iter().filter(|member| member.process.is_some()) {
            let url = format!("dqlite://{}/{database}", member.address);
            let reader = dqlite::blocking::connect(&url, ConnectOptions::default())?;
            reader.wait_for(writer.last_index())?;
            reader.close()?;
        }
        Ok(writer.close()?)
    }

    fn cluster(&self) -> Result<Cluster> {
        let is_well = |member: &&Member| member.process.is_some() && !member.paused;
        let addresses: Vec<_> =
            self.members.iter().filter(is_well).map(|member| member.address.as_str()).collect();
        let options = ConnectOptions { timeout: Some(LOOK_TIMEOUT), ..ConnectOptions::default() };
        Ok(Cluster::new(&format!("dqlite://{}", addresses.join(",")), options)?)
    }

    /// Tries until it works, within reason.
    fn until(&self, mut work: impl FnMut(&Self) -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match work(self) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    bail!("not after {} s: {error:#}", PATIENCE.as_secs())
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }
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
        held.extend(TcpListener::bind(("127.0.0.1", random.random_range(PORTS))));
    }
    ensure!(held.len() == count, "there are no free ports on loopback");
    held.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}
