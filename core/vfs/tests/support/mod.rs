//! A leader and a follower without a log between them, and a file that can fail.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part of this one")]

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use dqlite_env::{File, FileSystem, OpenMode, RealFiles};
use dqlite_vfs::{
    CommitSink, ConnectOptions, Connection, Database, Refused, SqliteError, Step, Transaction,
    ValueRef, WalPosition,
};
use tempfile::TempDir;

/// Keeps what is committed; refuses when told to.
#[derive(Debug, Default)]
pub struct Queue {
    pub transactions: Mutex<Vec<Transaction>>,
    pub refuses: AtomicBool,
}

impl CommitSink for Queue {
    fn commit(&self, transaction: Transaction) -> Result<(), Refused> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Refused);
        }
        self.transactions.lock().unwrap().push(transaction);
        Ok(())
    }
}

impl Queue {
    pub fn take(&self) -> Vec<Transaction> {
        std::mem::take(&mut self.transactions.lock().unwrap())
    }
}

/// A database in a folder of its own.
pub struct Node {
    pub database: Database,
    pub queue: Arc<Queue>,
    pub file: Arc<dyn File>,
    _dir: TempDir,
}

impl Node {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("db"), OpenMode::New).unwrap();
        Self::on(file, dir)
    }

    pub fn on(file: Arc<dyn File>, dir: TempDir) -> Self {
        let queue = Arc::new(Queue::default());
        let database = Database::open(file.clone(), queue.clone()).unwrap();
        Self { database, queue, file, _dir: dir }
    }

    pub fn connect(&self) -> Connection {
        self.database.connect().unwrap()
    }

    /// A connection that spills early.
    pub fn connect_small(&self) -> Connection {
        let options = ConnectOptions { cache_kib: 40, ..ConnectOptions::default() };
        self.database.connect_with(&options).unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.file.len().unwrap() as usize];
        assert_eq!(self.file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    }

    /// Checkpoints all there is.
    pub fn checkpoint_all(&self) {
        let done = self.database.checkpoint(self.database.position()).unwrap();
        assert!(done.complete, "{done:?}");
    }

    /// Applies what `leader` committed, and gives the number of transactions.
    pub fn follow(&self, leader: &Node) -> usize {
        let transactions = leader.queue.take();
        for transaction in &transactions {
            self.database.apply(&transaction.pages, transaction.page_count).unwrap();
        }
        transactions.len()
    }
}

/// Runs all statements of `sql`.
pub fn run(connection: &mut Connection, sql: &str) -> Result<(), SqliteError> {
    let mut rest = sql;
    while let Some(prepared) = connection.prepare(rest)? {
        rest = &rest[prepared.tail_offset..];
        let statement = connection.statement(prepared.id).unwrap();
        let result = loop {
            match statement.step() {
                Ok(Step::Row) => {}
                Ok(Step::Done) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(connection.finalize(prepared.id));
        result?;
    }
    Ok(())
}

/// Runs `sql`, which must succeed.
pub fn exec(connection: &mut Connection, sql: &str) {
    if let Err(error) = run(connection, sql) {
        panic!("{sql}: {error}");
    }
}

/// The rows of `sql` as text, a line each.
pub fn rows(connection: &mut Connection, sql: &str) -> String {
    let prepared = connection.prepare(sql).unwrap().unwrap();
    let statement = connection.statement(prepared.id).unwrap();
    let mut lines = String::new();
    while statement.step().unwrap() == Step::Row {
        for column in 0..statement.column_count() {
            match statement.value(column) {
                ValueRef::Null => lines.push('-'),
                ValueRef::Integer(value) => lines.push_str(&value.to_string()),
                ValueRef::Real(value) => lines.push_str(&value.to_string()),
                ValueRef::Text(text) => lines.push_str(std::str::from_utf8(text).unwrap()),
                ValueRef::Blob(blob) => lines.push_str(&format!("{blob:02x?}")),
            }
            lines.push('|');
        }
        lines.push('\n');
    }
    connection.finalize(prepared.id);
    lines
}

/// All of the database's content, and that SQLite finds it sound.
pub fn content(connection: &mut Connection) -> String {
    assert_eq!(rows(connection, "PRAGMA integrity_check"), "ok|\n");
    let mut all = rows(connection, "SELECT type, name, sql FROM sqlite_schema ORDER BY name, type");
    let tables = rows(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name",
    );
    for table in tables.lines() {
        let table = table.trim_end_matches('|');
        all.push_str(&rows(connection, &format!("SELECT * FROM \"{table}\"")));
    }
    all
}

/// Both nodes hold the same, now and in their files after a checkpoint of all.
pub fn assert_same(leader: &Node, follower: &Node) {
    assert_eq!(content(&mut leader.connect()), content(&mut follower.connect()));
    leader.checkpoint_all();
    follower.checkpoint_all();
    assert!(leader.bytes() == follower.bytes(), "the files differ");
}

/// Many rows in a table `t(a INTEGER PRIMARY KEY, b BLOB)`.
pub fn fill(count: u32, bytes: u32) -> String {
    format!(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count})
         INSERT INTO t SELECT 100 + i, randomblob({bytes}) FROM s"
    )
}

pub const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); CREATE INDEX ti ON t(b)";

/// A file whose writes or syncs fail when told to.
#[derive(Debug)]
pub struct Failing {
    pub file: Arc<dyn File>,
    pub fails: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> io::Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("told to fail"));
        }
        Ok(())
    }
}

impl File for Failing {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.check()?;
        self.file.read_at(buffer, offset)
    }
    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buffer, offset)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_all()
    }
    fn lock_database(&self) -> io::Result<()> {
        self.file.lock_database()
    }
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        self.file.descriptor()
    }
}

/// Begins a read transaction, which holds its snapshot of `t` from now on.
pub fn hold_snapshot(connection: &mut Connection) {
    exec(connection, "BEGIN; SELECT count(*) FROM t");
}

pub fn at(generation: u64, frame: u32) -> WalPosition {
    WalPosition { generation, frame }
}
