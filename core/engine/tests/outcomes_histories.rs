//! Random histories of two nodes: whatever order commits, checkpoints, restarts, snapshots and
//! changes of the lead come in, the record of outcomes is the same, and right.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::collections::BTreeMap;
use std::sync::Arc;

use dqlite_engine::{Machine, Options, Outcome, Position};
use replicas::{Replica, Tape};

const SEEDS: u64 = 16;
const STEPS: u64 = 60;
const CLIENTS: u64 = 5;

/// Draws numbers that a seed decides (`splitmix64`).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

/// A node, and how far its log may be gone.
struct Node {
    dir: tempfile::TempDir,
    replica: Replica,
    covered: u64,
}

struct Run {
    draws: Draws,
    tape: Arc<Tape>,
    term: u64,
    leader: Node,
    follower: Node,
    mark: u64,
    /// What each client committed last, and where.
    expected: BTreeMap<u128, (u64, u64)>,
}

impl Node {
    fn open(tape: &Arc<Tape>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open(dir.path(), tape);
        Self { dir, replica, covered: 0 }
    }

    async fn checkpoint(&mut self) {
        self.covered = self.replica.engine.checkpoint().await.unwrap();
    }

    /// Stops the node; all that it had applied and not checkpointed is applied again.
    async fn restart(&mut self, tape: &Arc<Tape>) {
        self.replica.engine.close().await.unwrap();
        self.replica = Replica::open_with(self.dir.path(), tape, Options::default(), self.covered);
    }
}

impl Run {
    async fn new(seed: u64) -> Self {
        let tape = Arc::new(Tape::default());
        let (mut leader, follower) = (Node::open(&tape), Node::open(&tape));
        leader.replica.lead(1).await;
        let mut session = leader.replica.engine.open_session("app").await.unwrap();
        leader.replica.run(&mut session, "CREATE TABLE t (a, b)").await.unwrap();
        let (draws, expected) = (Draws(seed), BTreeMap::new());
        Self { draws, tape, term: 1, leader, follower, mark: 0, expected }
    }

    async fn write(&mut self) {
        let client = u128::from(1 + self.draws.below(CLIENTS));
        self.mark += 1;
        let mut session = self.leader.replica.engine.open_session("app").await.unwrap();
        session.set_client(client);
        session.set_mark(self.mark);
        let sql = format!("INSERT INTO t VALUES ({}, 'x')", self.mark);
        self.leader.replica.run(&mut session, &sql).await.unwrap();
        self.expected.insert(client, (self.mark, self.tape.last_index()));
    }

    async fn change_the_lead(&mut self) {
        self.term += 1;
        self.leader.replica.engine.follow().await;
        std::mem::swap(&mut self.leader, &mut self.follower);
        self.leader.replica.lead(self.term).await;
    }

    async fn send_a_snapshot(&mut self) {
        self.leader.checkpoint().await;
        let start = self.leader.covered;
        let mut reader = self.leader.replica.engine.read_snapshot().await.unwrap();
        let mut writer = self.follower.replica.engine.write_snapshot().await.unwrap();
        while let Some(chunk) = reader.next().await.unwrap() {
            writer.write(chunk).await.unwrap();
            for _ in 0..self.draws.below(3) {
                self.write().await;
            }
            if self.draws.below(2) == 0 {
                self.leader.checkpoint().await;
            }
        }
        writer.finish().await.unwrap();
        let position = Position { term: self.term, index: start };
        self.follower.replica.engine.install_snapshot(position, writer).await.unwrap();
        self.follower.replica.skip_to(start);
        self.follower.covered = start;
    }

    async fn step(&mut self) {
        let last = self.tape.last_index();
        match self.draws.below(20) {
            0..9 => self.write().await,
            9..12 => {
                let index = last - self.draws.below(3).min(last);
                self.follower.replica.apply_to(index).await;
            }
            12..14 => self.follower.checkpoint().await,
            14..16 => self.leader.checkpoint().await,
            16 => self.follower.restart(&self.tape).await,
            17 => {
                self.leader.restart(&self.tape).await;
                self.change_the_lead().await;
            }
            18 => self.change_the_lead().await,
            _ => self.send_a_snapshot().await,
        }
    }

    async fn judge(&mut self, seed: u64) {
        self.follower.replica.apply_all().await;
        self.leader.replica.apply_all().await;
        let record = |node: &Node| node.replica.engine.record_of_outcomes("app").unwrap();
        assert_eq!(record(&self.leader), record(&self.follower), "seed {seed}");
        for (client, (mark, index)) in &self.expected {
            for (mark, expected) in
                [(*mark, Outcome::Applied(*index)), (mark + 1, Outcome::NotApplied)]
            {
                let outcome = self.leader.replica.outcome(*client, mark, 0).await.unwrap();
                assert_eq!(outcome, expected, "seed {seed}, client {client}, mark {mark}");
            }
        }
    }
}

#[tokio::test]
async fn all_nodes_have_the_same_record_after_any_history() {
    for seed in 0..SEEDS {
        let mut run = Run::new(seed).await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.judge(seed).await;
    }
}
