//! The three nodes, and what must be true of them at every moment.
//!
//! 1. A term has one leader.
//! 2. From its start to its end a node's applied index never goes back.
//! 3. A node fails only with its machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dqlite_server::{Node, Status};
use parking_lot::Mutex;
use tokio::sync::watch;
use turmoil::Sim;

use super::plan::{NODES, Plan};
use super::trace::{Trace, traced};
use crate::workload::DATABASE;
use crate::world::World;

/// The nodes of a simulation. Clones are the same.
#[derive(Clone, Debug)]
pub struct Cluster {
    plan: Plan,
    world: World,
    trace: Trace,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    hosts: BTreeMap<&'static str, Host>,
    leaders: BTreeMap<u64, u64>,
    violations: Vec<String>,
    checkpoints: u64,
}

#[derive(Debug)]
struct Host {
    /// `None` while it starts and while it is down.
    node: Option<Node>,
    stop: watch::Sender<bool>,
    applied_index: u64,
    snapshot_index: u64,
}

impl Cluster {
    /// Puts the nodes into `sim`; they start with its first step.
    pub fn new(sim: &mut Sim<'_>, plan: Plan, world: World, trace: Trace) -> Self {
        let cluster = Self { plan, world, trace, state: Arc::default() };
        for host in NODES {
            let cluster = cluster.clone();
            sim.host(host, move || {
                let cluster = cluster.clone();
                async move {
                    cluster.run(host).await;
                    Ok(())
                }
            });
        }
        cluster
    }

    /// A node's life, on its host.
    async fn run(&self, host: &'static str) {
        let (stop, mut stopped) = watch::channel(false);
        let fresh = Host { node: None, stop, applied_index: 0, snapshot_index: 0 };
        self.state.lock().hosts.insert(host, fresh);
        let env = self.world.boot(host);
        let node = match Node::start(env, self.plan.node(host)).await {
            Ok(node) => node,
            Err(error) => return self.violate(format!("{host} does not start: {error}")), // (3)
        };
        traced!(self.trace, "{host} started");
        if let Some(entry) = self.state.lock().hosts.get_mut(host) {
            entry.node = Some(node.clone());
        }
        tokio::select! {
            biased;
            reason = node.failed() => self.violate(format!("{host} failed: {reason}")), // (3)
            _ = stopped.wait_for(|stopped| *stopped) => {
                node.stop().await;
                drop(node);
                self.forget(host);
                traced!(self.trace, "{host} stopped");
            }
        }
    }

    /// Asks the node on `host` to stop. It is down once its host no longer runs.
    pub fn stop(&self, host: &str) {
        if let Some(entry) = self.state.lock().hosts.get(host) {
            entry.stop.send_replace(true);
        }
    }

    /// Forgets the node on `host`, which is gone.
    pub fn forget(&self, host: &str) {
        self.state.lock().hosts.remove(host);
    }

    /// The states of the nodes that run, by host.
    pub fn statuses(&self) -> BTreeMap<&'static str, Status> {
        let state = self.state.lock();
        let running = state.hosts.iter().filter_map(|(host, it)| Some((*host, it.node.as_ref()?)));
        running.map(|(host, node)| (host, node.status())).collect()
    }

    /// Checks the rules above, now.
    pub fn watch(&self) {
        let statuses = self.statuses();
        let state = &mut *self.state.lock();
        for (host, status) in &statuses {
            let Some(entry) = state.hosts.get_mut(host) else { continue };
            if status.applied_index < entry.applied_index {
                let from = entry.applied_index;
                let reason = format!("{host} went back from {from} to {}", status.applied_index);
                state.violations.push(reason); // (2)
            }
            entry.applied_index = status.applied_index;
            if status.snapshot_index > entry.snapshot_index {
                state.checkpoints += 1;
            }
            entry.snapshot_index = status.snapshot_index;
            let Some(leader) = status.leader.as_ref().filter(|it| it.id == status.id) else {
                continue;
            };
            match state.leaders.get(&leader.term) {
                None => {
                    traced!(self.trace, "{host} leads term {}", leader.term);
                    state.leaders.insert(leader.term, leader.id);
                }
                Some(&other) if other != leader.id => {
                    let reason = format!("term {} has two leaders", leader.term);
                    state.violations.push(reason); // (1)
                }
                Some(_) => {}
            }
        }
    }

    /// The host of the node that says that it leads, in the highest term.
    pub fn leader(&self) -> Option<&'static str> {
        let statuses = self.statuses();
        let leading = statuses
            .iter()
            .filter(|(_, status)| status.leader.as_ref().is_some_and(|it| it.id == status.id));
        leading.max_by_key(|(_, status)| status.term).map(|(host, _)| *host)
    }

    /// True when all nodes run, are voters, and have applied all there is.
    pub fn is_settled(&self) -> bool {
        let statuses = self.statuses();
        let last = statuses.values().map(|status| status.last_index).max().unwrap_or(0);
        let indexes: BTreeSet<_> =
            statuses.values().map(|status| (status.applied_index, status.term)).collect();
        statuses.len() == NODES.len()
            && self.leader().is_some()
            && indexes.len() == 1
            && statuses.values().all(|it| it.applied_index == last)
            && statuses.values().all(|it| it.role == Some(dqlite_server::Role::Voter))
    }

    /// The records of outcomes of the nodes that run, by host.
    pub fn records(&self) -> BTreeMap<&'static str, Vec<u8>> {
        let state = self.state.lock();
        let running = state.hosts.iter().filter_map(|(host, it)| Some((*host, it.node.as_ref()?)));
        let record = |node: &Node| node.record_of_outcomes(DATABASE).unwrap_or_default();
        running.map(|(host, node)| (host, record(node))).collect()
    }

    /// Notes that a rule is broken.
    pub fn violate(&self, reason: String) {
        traced!(self.trace, "VIOLATION: {reason}");
        self.state.lock().violations.push(reason);
    }

    /// Takes the broken rules.
    pub fn violations(&self) -> Vec<String> {
        self.state.lock().violations.clone()
    }

    /// How many terms had a leader.
    pub fn terms_led(&self) -> usize {
        self.state.lock().leaders.len()
    }

    /// How many checkpoints that let the log be purged were seen.
    pub fn checkpoints(&self) -> u64 {
        self.state.lock().checkpoints
    }

    /// How many snapshots were installed.
    pub fn installs(&self) -> u64 {
        NODES.iter().map(|host| self.world.disk(host).counts().folders_renamed).sum()
    }
}
