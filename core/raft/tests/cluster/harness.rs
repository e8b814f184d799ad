//! Starts, stops and connects nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dqlite_engine::{OnRefused, Refused};
use dqlite_env::{Env, Listener};
use dqlite_raft::{Member, Node, Options, PEER_MAGIC, Role};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::machine::{Files, Recorder};

/// A node that runs.
pub struct Running {
    pub node: Node,
    pub machine: Arc<Recorder>,
    accepting: JoinHandle<()>,
}

/// What a node leaves behind when it stops.
struct Place {
    dir: TempDir,
    files: Files,
    address: String,
}

/// Nodes by id, from 1.
pub struct Cluster {
    pub nodes: BTreeMap<u64, Running>,
    places: BTreeMap<u64, Place>,
    tune: fn(&mut Options),
}

impl Cluster {
    /// `count` nodes of which the first `voters` form a cluster, led by the first.
    pub async fn new(count: u64, voters: u64, tune: fn(&mut Options)) -> Self {
        let mut cluster = Self { nodes: BTreeMap::new(), places: BTreeMap::new(), tune };
        for id in 1..=count {
            cluster.start(id).await;
        }
        assert!(cluster.node(1).bootstrap().await.unwrap());
        cluster.machine(1).wait(|seen| seen.leads.is_some()).await;
        for id in 2..=voters {
            let address = cluster.address(id);
            cluster.node(1).add(id, address).await.unwrap();
            cluster.node(1).assign(id, Role::Voter).await.unwrap();
        }
        cluster
    }

    pub async fn start(&mut self, id: u64) {
        let env = Env::real();
        let place = self.places.entry(id).or_insert_with(|| Place {
            dir: tempfile::tempdir().unwrap(),
            files: Files::default(),
            address: "127.0.0.1:0".to_owned(),
        });
        let listener = env.network.listen(&place.address).await.unwrap();
        place.address = listener.address();
        let mut options = Options::new(id, place.address.clone());
        options.heartbeat = Duration::from_millis(50);
        options.election_min = Duration::from_millis(250);
        options.election_max = Duration::from_millis(500);
        options.log.segment_bytes = 1 << 20;
        options.log.spare_segments = 1;
        (self.tune)(&mut options);
        let machine = Recorder::new(place.files.clone());
        let node = Node::start(env, place.dir.path(), options, machine.clone()).await.unwrap();
        let accepting = tokio::spawn(accept(listener, node.clone()));
        self.nodes.insert(id, Running { node, machine, accepting });
    }

    /// Stops a node: its port is free and its log is closed when this returns.
    pub async fn stop(&mut self, id: u64) {
        let running = self.nodes.remove(&id).unwrap();
        running.accepting.abort();
        let _ = running.accepting.await;
        running.node.shutdown().await;
    }

    pub fn node(&self, id: u64) -> &Node {
        &self.nodes[&id].node
    }

    pub fn machine(&self, id: u64) -> Arc<Recorder> {
        self.nodes[&id].machine.clone()
    }

    pub fn address(&self, id: u64) -> String {
        self.places[&id].address.clone()
    }

    /// Waits until one of the running nodes leads, and gives it with its term.
    pub async fn leader(&self) -> (u64, u64) {
        let waits = self.nodes.iter().map(|(id, running)| {
            let (id, machine) = (*id, running.machine.clone());
            Box::pin(async move {
                let seen = machine.wait(|seen| seen.leads.is_some()).await;
                (id, seen.leads.unwrap())
            })
        });
        futures::future::select_all(waits).await.0
    }

    /// Has the leader `id` order `payloads`, as one batch, and waits until it has applied them.
    pub async fn propose(&self, id: u64, payloads: &[Bytes]) -> Result<(), Refused> {
        let machine = self.machine(id);
        let seen = machine.seen();
        let term = seen.leads.ok_or(Refused::NotLeader)?;
        let (on_refused, refused) = refusal();
        let batch = payloads.iter().map(|payload| vec![payload.clone()]).collect();
        self.node(id).handle().propose(term, batch, on_refused).await;
        let last = payloads.last().unwrap().clone();
        let applied =
            machine.wait(|seen| seen.commands.values().rev().any(|(_, payload)| *payload == last));
        tokio::select! {
            biased;
            _ = applied => Ok(()),
            Ok(reason) = refused => Err(reason),
        }
    }

    /// Waits until every member that runs has applied what node `id` has.
    pub async fn settle(&self, id: u64) {
        let goal = self.machine(id).seen();
        let members = self.node(id).members();
        for running in members.iter().filter_map(|member| self.nodes.get(&member.id)) {
            let seen = running.machine.wait(|seen| seen.last >= goal.last).await;
            for (index, command) in &goal.commands {
                assert_eq!(seen.commands.get(index), Some(command), "entry {index}");
            }
        }
    }

    pub fn roles(&self, id: u64) -> Vec<(u64, Role)> {
        let role = |member: Member| (member.id, member.role);
        self.node(id).members().into_iter().map(role).collect()
    }
}

/// The callback that `propose` takes, and where it is heard.
pub fn refusal() -> (OnRefused, oneshot::Receiver<Refused>) {
    let (tell, heard) = oneshot::channel();
    (Box::new(move |reason| drop(tell.send(reason))), heard)
}

pub fn numbered(range: std::ops::Range<u64>) -> Vec<Bytes> {
    range.map(|number| Bytes::from(format!("command {number}"))).collect()
}

/// What a server does with its port, clients left out.
async fn accept(listener: Arc<dyn Listener>, node: Node) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(mut stream) = listener.accept().await {
        let node = node.clone();
        connections.spawn(async move {
            let mut word = [0; 8];
            if stream.read_exact(&mut word).await.is_ok() {
                assert_eq!(u64::from_le_bytes(word), PEER_MAGIC);
                node.serve_peer(stream, &word).await;
            }
        });
    }
}
