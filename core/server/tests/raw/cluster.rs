//! Nodes to speak to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dqlite_env::Env;
use dqlite_server::{Node, NodeOptions};
use tempfile::TempDir;

use super::{Body, DEADLINE, HELLO, Wire, ask, body::Reader, say};

/// The address that single nodes are known by. Nothing listens there: it is only an answer.
pub const ADDRESS: &str = "127.0.0.1:9131";

/// A node of this process, with its files.
#[derive(Debug)]
pub struct Server {
    pub node: Node,
    dir: TempDir,
}

impl Server {
    /// A cluster of one, which leads: node 1.
    pub async fn single() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(set: impl FnOnce(&mut NodeOptions)) -> Self {
        let server = Self::start(1, ADDRESS, Some("127.0.0.1:0"), set).await;
        server.node.ready().await.unwrap();
        server
    }

    /// A node that wants to join others and finds nobody.
    pub async fn lonely() -> Self {
        let nowhere = |options: &mut NodeOptions| options.join = vec![unused_address()];
        Self::start(9, ADDRESS, Some("127.0.0.1:0"), nowhere).await
    }

    pub async fn start(
        id: u64,
        address: &str,
        bind: Option<&str>,
        set: impl FnOnce(&mut NodeOptions),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(dir.path(), address);
        options.id = Some(id);
        options.bind = bind.map(str::to_owned);
        set(&mut options);
        let node = Node::start(Env::real(), options).await.unwrap();
        Self { node, dir }
    }

    /// A connection on which nothing was said.
    pub async fn dial(&self) -> Wire {
        Wire::dial(&self.node.listening_on()).await
    }

    /// A connection that has said hello.
    pub async fn connect(&self) -> Wire {
        let mut wire = self.dial().await;
        wire.send(&HELLO).await;
        wire
    }

    /// A connection with the database `test` open.
    pub async fn session(&self) -> Wire {
        let mut wire = self.connect().await;
        wire.open("test").await;
        wire
    }

    /// A connection with a session for calls on the database `test`.
    pub async fn calls(&self) -> Wire {
        let mut wire = self.connect().await;
        let answer = wire.ask(ask::SESSION, super::calls::session(0)).await;
        assert_eq!((answer.kind, answer.body.len()), (say::SESSION, 16), "{answer:02x?}");
        wire
    }

    /// The folder with the node's files.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Waits until this node says that `id` leads; of itself it says so once it can serve.
    pub async fn wait_leader(&self, id: u64) {
        let told = async {
            while self.leader().await.0 != id {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, told).await.is_ok(), "node {id} does not lead");
    }

    /// Who leads, as this node says.
    pub async fn leader(&self) -> (u64, String) {
        let answer = self.connect().await.ask(ask::LEADER, [0; 8]).await;
        assert_eq!(answer.kind, say::SERVER);
        let mut reader = Reader::new(&answer.body);
        let leader = (reader.u64(), reader.text());
        assert!(reader.is_empty());
        leader
    }
}

/// An address of this machine that no other test uses, and where nobody listens yet.
pub fn unused_address() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("@dqlite-server-test-{}-{number}", std::process::id())
}

/// Three voters. Node 1 leads, and keeps the lead while it can.
pub async fn three(set: impl Fn(&mut NodeOptions)) -> [Server; 3] {
    members([0, 0], set).await
}

/// Node 1, and nodes 2 and 3 in these roles.
pub async fn members(roles: [u64; 2], set: impl Fn(&mut NodeOptions)) -> [Server; 3] {
    let patient = |options: &mut NodeOptions| {
        options.election_min = Duration::from_secs(5);
        options.election_max = Duration::from_secs(10);
        set(options);
    };
    // They are told where to go, so that they do not choose.
    let nowhere = unused_address();
    let waiting = |options: &mut NodeOptions| {
        patient(options);
        options.join = vec![nowhere.clone()];
    };
    let first = Server::start(1, &unused_address(), None, patient).await;
    let second = Server::start(2, &unused_address(), None, waiting).await;
    let third = Server::start(3, &unused_address(), None, waiting).await;
    first.node.ready().await.unwrap();
    let mut wire = first.connect().await;
    for (server, role) in [(&second, roles[0]), (&third, roles[1])] {
        let id = server.node.id();
        let add = Body::new().u64(id).text(server.node.address());
        wire.ask(ask::ADD, add).await.assert_empty();
        if role != 2 {
            wire.ask(ask::ASSIGN, Body::new().u64(id).u64(role)).await.assert_empty();
        }
    }
    [first, second, third]
}
