//! Random operations on a leader and a follower, against plain SQLite in memory.
#![allow(clippy::unwrap_used, reason = "the world's methods are part of the test")]

mod support;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection as Plain;
use support::*;

use dqlite_vfs::{Connection, WalPosition};

const STEPS: usize = 120;
const SEEDS: u64 = 12;

struct World {
    random: SmallRng,
    nodes: [Node; 2],
    leader: usize,
    /// What is committed, and where each node's WAL ends with it.
    model: Plain,
    ends: [WalPosition; 2],
    /// A reader on each node, with what it saw when it began.
    readers: [Option<(Connection, String)>; 2],
    next_key: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: SmallRng::seed_from_u64(seed),
            nodes: [Node::new(), Node::new()],
            leader: 0,
            model: Plain::open_in_memory().unwrap(),
            ends: [WalPosition::default(); 2],
            readers: [None, None],
            next_key: 0,
        };
        world.commit("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)");
        world.commit("CREATE INDEX ti ON t(b)");
        world
    }

    /// A statement whose effect depends on the content alone.
    fn statement(&mut self) -> String {
        let random = &mut self.random;
        let key = random.random_range(0..self.next_key + 1);
        match random.random_range(0..10) {
            0..4 => {
                let count = random.random_range(1..=300_u32);
                let first = self.next_key;
                self.next_key += count;
                let bytes = random.random_range(0..4000_u32);
                format!(
                    "WITH RECURSIVE s(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s
                         WHERE i + 1 < {})
                     INSERT OR REPLACE INTO t SELECT i, zeroblob((i * 7919) % {} + 1) || i FROM s",
                    first + count,
                    bytes + 1
                )
            }
            4 => format!("DELETE FROM t WHERE a % 3 = {} AND a < {key}", key % 3),
            5 => format!("UPDATE t SET b = b || {key} WHERE a % 5 = {}", key % 5),
            6 => format!("DELETE FROM t WHERE a > {key}"),
            7 => format!(
                "CREATE TABLE IF NOT EXISTS u{0}(x); INSERT INTO u{0} VALUES({key})",
                key % 4
            ),
            8 => format!("DROP TABLE IF EXISTS u{}", key % 4),
            _ => format!("INSERT OR REPLACE INTO t VALUES({key}, 'x' || {key})"),
        }
    }

    fn transaction(&mut self) -> String {
        let mut sql = String::from("BEGIN;");
        for _ in 0..self.random.random_range(1..4) {
            sql.push_str(&self.statement());
            sql.push(';');
            if self.random.random_bool(0.3) {
                let undone = self.statement();
                sql.push_str(&format!("SAVEPOINT s; {undone}; ROLLBACK TO s; RELEASE s;"));
            }
        }
        sql
    }

    fn commit(&mut self, sql: &str) {
        let leader = &self.nodes[self.leader];
        exec(&mut leader.connect_small(), sql);
        self.model.execute_batch(sql).unwrap();
        let follower = &self.nodes[1 - self.leader];
        follower.follow(leader);
        self.ends = [self.nodes[0].database.position(), self.nodes[1].database.position()];
    }

    fn step(&mut self) {
        let node = self.random.random_range(0..2_usize);
        match self.random.random_range(0..100) {
            0..40 => {
                let sql = self.transaction() + "COMMIT";
                self.commit(&sql);
            }
            40..50 => {
                let sql = self.transaction() + "ROLLBACK";
                exec(&mut self.nodes[self.leader].connect_small(), &sql);
            }
            50..55 => self.commit("VACUUM"),
            55..70 => {
                self.nodes[node].database.checkpoint(self.ends[node]).unwrap();
            }
            70..75 => {
                self.nodes[node].database.restart();
                self.ends[node] = self.nodes[node].database.position();
            }
            75..82 => self.leader = 1 - self.leader,
            82..92 => match self.readers[node].take() {
                Some((mut reader, seen)) => assert_eq!(read_all(&mut reader), seen),
                None => {
                    let mut reader = self.nodes[node].connect_small();
                    exec(&mut reader, "BEGIN");
                    let seen = read_all(&mut reader);
                    self.readers[node] = Some((reader, seen));
                }
            },
            _ => self.speculate(),
        }
        for (reader, seen) in self.readers.iter_mut().flatten() {
            assert_eq!(&read_all(reader), seen, "a snapshot changed");
        }
    }

    /// The leader commits what the log never takes; a checkpoint may run meanwhile.
    fn speculate(&mut self) {
        self.readers[self.leader] = None;
        let sql = self.transaction() + "COMMIT";
        let leader = &self.nodes[self.leader];
        exec(&mut leader.connect_small(), &sql);
        exec(&mut leader.connect(), "CREATE TABLE speculative(x)");
        if self.random.random_bool(0.5) {
            leader.database.checkpoint(self.ends[self.leader]).unwrap();
        }
        leader.queue.take();
        leader.database.undo_to(self.ends[self.leader]).unwrap();
        self.ends[self.leader] = leader.database.position();
    }

    fn check(&mut self) {
        let expected = plain_all(&self.model);
        for node in &self.nodes {
            let mut connection = node.connect();
            assert_eq!(rows(&mut connection, "PRAGMA integrity_check"), "ok|\n");
            assert_eq!(read_all(&mut connection), expected);
        }
    }
}

const TABLES: &str = "SELECT name, sql FROM sqlite_schema ORDER BY name";
const CONTENT: &str = "SELECT a, length(b), hex(b) FROM t ORDER BY a";

fn read_all(connection: &mut Connection) -> String {
    rows(connection, TABLES) + &rows(connection, CONTENT)
}

fn plain_all(plain: &Plain) -> String {
    let mut all = String::new();
    for sql in [TABLES, CONTENT] {
        let mut statement = plain.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Integer(value) => all.push_str(&value.to_string()),
                    value => all.push_str(value.as_str().unwrap()),
                }
                all.push('|');
            }
            all.push('\n');
        }
    }
    all
}

#[test]
fn random_histories() {
    let first = std::env::var("DQLITE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let result = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for step in 0..STEPS {
                world.step();
                if step % 20 == 0 {
                    world.check();
                }
            }
            world.check();
            world.readers = [None, None];
            assert_same(&world.nodes[0], &world.nodes[1]);
        });
        if let Err(panic) = result {
            eprintln!("run again with DQLITE_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
