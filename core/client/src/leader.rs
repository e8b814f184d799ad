//! The search for the node that leads.
//!
//! 1. A node leads if it names, when asked who leads, the very address that it was dialled at.
//! 2. A node that names another is believed once: the other must name itself.
//! 3. The last known leader is asked first and alone, for a short time; then all addresses that are
//!    known, at most ten at once. The first that leads wins.
//! 4. The addresses are those that were given and those of the members, which the first answer of a
//!    new leader and of every node that knows no leader brings.

use std::time::Duration;

use dqlite_env::Env;
use dqlite_wire::{ClusterFormat, NodeAddress, Request, Response};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::attempts::Backoff;
use crate::error::{Error, ErrorKind};
use crate::fault::{Effect, Fault};
use crate::link::{Link, unexpected};

/// How many nodes are asked at once.
const PROBES_MAX: usize = 10;
/// How long the last known leader is asked alone.
const KNOWN_LEADER_TIMEOUT: Duration = Duration::from_millis(500);
/// How many addresses of members are remembered.
const MEMBERS_MAX: usize = 64;

/// What is said of a node that did not answer.
const SILENT: &str = "did not answer in time";

/// What a node answered that does not lead, by address.
type Answers = Vec<(String, String)>;

/// Finds the node that leads, and remembers it and the members. Shared by everyone who looks for
/// the same cluster.
#[derive(Debug)]
pub struct LeaderSearch {
    env: Env,
    addresses: Vec<String>,
    connect_timeout: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    leader: Option<NodeAddress>,
    members: Vec<String>,
}

/// A connection to the leader.
#[derive(Debug)]
pub struct LeaderLink {
    /// The leader, as it named itself a moment ago.
    pub leader: NodeAddress,
    /// The connection, on which nothing was opened yet.
    pub link: Link,
}

impl LeaderSearch {
    /// A search that begins with these addresses. A node may take as long as `connect_timeout` to
    /// accept a connection and to say who leads.
    pub fn new(env: Env, addresses: Vec<String>, connect_timeout: Duration) -> Self {
        Self { env, addresses, connect_timeout, known: Mutex::default() }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The leader has proved not to lead: the next search asks the others too.
    pub fn forget(&self, address: &str) {
        let mut known = self.known.lock();
        if known.leader.as_ref().is_some_and(|leader| *leader.address == *address) {
            known.leader = None;
        }
    }

    /// A connection to the leader. Searches until the deadline.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], with what each address answered last.
    pub async fn find(&self, deadline: Instant) -> Result<LeaderLink, Error> {
        let mut backoff = Backoff::default();
        let mut answers = Answers::new();
        loop {
            match self.round(deadline).await {
                Ok(found) => return Ok(found),
                Err(newer) => answers = newest(answers, newer),
            }
            if !backoff.pause(&self.env.entropy, deadline).await {
                return Err(unavailable(&answers));
            }
        }
    }

    /// Asks everyone once (3).
    async fn round(&self, deadline: Instant) -> Result<LeaderLink, Answers> {
        let known = self.known.lock().leader.clone();
        if let Some(leader) = known {
            let alone = deadline.min(Instant::now() + KNOWN_LEADER_TIMEOUT);
            match self.ask(&leader.address, alone).await {
                Ok(found) => return Ok(found),
                Err(_) => self.forget(&leader.address),
            }
        }
        let candidates = self.candidates();
        let mut waiting = candidates.iter();
        let mut probes = FuturesUnordered::new();
        let mut answers = Vec::new();
        loop {
            while probes.len() < PROBES_MAX
                && let Some(address) = waiting.next()
            {
                probes.push(async move { (address, self.ask(address, deadline).await) });
            }
            match probes.next().await {
                None => return Err(answers),
                Some((_, Ok(found))) => return Ok(found),
                Some((address, Err(answer))) => answers.push((address.clone(), answer)),
            }
        }
    }

    fn candidates(&self) -> Vec<String> {
        let mut candidates = self.addresses.clone();
        let known = self.known.lock();
        candidates.extend(known.members.iter().filter(|a| !self.addresses.contains(a)).cloned());
        candidates
    }

    /// Asks the node at `address` and, once, the one that it names.
    async fn ask(&self, address: &str, deadline: Instant) -> Result<LeaderLink, String> {
        let named = match self.probe(address, deadline).await? {
            Probe::Leads(found) => return Ok(found),
            Probe::Names(named) => named,
        };
        match self.probe(&named, deadline).await {
            Ok(Probe::Leads(found)) => Ok(found), // (2)
            Ok(Probe::Names(other)) => Err(format!("names {named}, which names {other}")),
            Err(answer) => Err(format!("names {named}, which {answer}")),
        }
    }

    async fn probe(&self, address: &str, deadline: Instant) -> Result<Probe, String> {
        let deadline = deadline.min(Instant::now() + self.connect_timeout);
        let found = async {
            let mut link = Link::connect(&*self.env.network, address, deadline).await?;
            let leader = match link.call(&Request::Leader, deadline).await? {
                Response::Server { id, address } => NodeAddress { id, address },
                other => return Err(unexpected(&other)),
            };
            let leads = *leader.address == *address; // (1)
            let is_new = self.known.lock().leader.as_ref() != Some(&leader);
            if leader.address.is_empty() || (leads && is_new) {
                self.learn(&mut link, deadline).await?; // (4)
            }
            Ok((leader, link, leads))
        };
        match found.await {
            Ok((leader, link, true)) => {
                self.known.lock().leader = Some(leader.clone());
                Ok(Probe::Leads(LeaderLink { leader, link }))
            }
            Ok((leader, ..)) if leader.address.is_empty() => Err("knows of no leader".to_owned()),
            Ok((leader, ..)) => Ok(Probe::Names(leader.address.to_string())),
            Err(Fault::TimedOut { .. }) => Err(SILENT.to_owned()),
            Err(Fault::Refused { message, .. }) => Err(format!("refused: {message}")),
            Err(Fault::Unsent(reason) | Fault::Lost(reason) | Fault::Garbled(reason)) => {
                Err(format!("failed: {reason}"))
            }
            Err(Fault::Unusable(reason) | Fault::File(reason)) => Err(reason),
        }
    }

    /// Asks for the members, to find one when those that were given are gone.
    async fn learn(&self, link: &mut Link, deadline: Instant) -> Result<(), Fault> {
        let request = Request::Cluster { format: ClusterFormat::Roles };
        match link.call(&request, deadline).await? {
            Response::Servers(members) => {
                let addresses = members.iter().map(|member| member.address.to_string());
                let addresses: Vec<_> = addresses.take(MEMBERS_MAX).collect();
                if !addresses.is_empty() {
                    self.known.lock().members = addresses;
                }
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// A connection to one certain node, whether it leads or not.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`]: the node cannot be reached in time.
    pub async fn dial(&self, address: &str, deadline: Instant) -> Result<Link, Error> {
        let soon = deadline.min(Instant::now() + self.connect_timeout);
        let dialled = Link::connect(&*self.env.network, address, soon).await;
        dialled.map_err(|fault| {
            let mut error = Error::from(fault.with(Effect::Nothing));
            error.kind = ErrorKind::Unavailable;
            error.message = format!("{address}: {}", error.message);
            error
        })
    }
}

enum Probe {
    Leads(LeaderLink),
    Names(String),
}

/// The last answer of each address. The deadline cuts the last round short: that a node was silent
/// then says less than what it said before.
fn newest(before: Answers, mut answers: Answers) -> Answers {
    for (address, answer) in &mut answers {
        if answer == SILENT
            && let Some((_, earlier)) = before.iter().find(|(other, _)| other == address)
        {
            answer.clone_from(earlier);
        }
    }
    answers
}

fn unavailable(answers: &Answers) -> Error {
    let answers: Vec<_> =
        answers.iter().map(|(address, answer)| format!("{address} {answer}")).collect();
    let answers =
        if answers.is_empty() { "no address was given".to_owned() } else { answers.join("; ") };
    Error::new(ErrorKind::Unavailable, format!("no leader was found in time: {answers}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_says_less_than_an_answer() {
        let answers = |all: &[(&str, &str)]| -> Answers {
            all.iter().map(|(address, answer)| ((*address).into(), (*answer).into())).collect()
        };
        let before = answers(&[("a", "refused: no"), ("b", "knows of no leader")]);
        let after = answers(&[("a", SILENT), ("b", "failed: gone"), ("c", SILENT)]);
        let both = answers(&[("a", "refused: no"), ("b", "failed: gone"), ("c", SILENT)]);
        assert_eq!(newest(before, after), both);
    }
}
