//! Engines under a log that a test holds in its hands.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod calls;

use std::path::Path;
use std::sync::Arc;

use dqlite_engine::{
    Consensus, Engine, Error, Executed, Machine, OnRefused, Options, Outcome, Payload, Position,
    Refused, RowSink, Rows, Session, Source, ValueRef,
};
use dqlite_env::{BoxFuture, Env};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A log whose entries come out when the test says so.
#[derive(Debug, Default)]
pub struct Tape {
    state: Mutex<State>,
    proposed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<(Position, Option<Payload>)>,
    refusing: bool,
    deposed: bool,
}

impl Tape {
    /// Refuses all proposals from now on, or takes them again.
    pub fn refuse(&self, refusing: bool) {
        self.state.lock().refusing = refusing;
    }

    /// Confirms nobody's lead any more.
    pub fn depose(&self) {
        self.state.lock().deposed = true;
    }

    /// Takes the entry `index` away, as if it had not been proposed: its place stays empty.
    pub fn blank(&self, index: u64) {
        self.state.lock().entries[index as usize - 1].1 = None;
    }

    /// Drops all entries from `index` on.
    pub fn truncate(&self, index: u64) {
        self.state.lock().entries.truncate(index as usize - 1);
    }

    /// Adds an entry without a command, such as a new leader writes.
    pub fn push_blank(&self, term: u64) {
        let mut state = self.state.lock();
        let index = state.entries.len() as u64 + 1;
        state.entries.push((Position { term, index }, None));
    }

    pub fn last_index(&self) -> u64 {
        self.state.lock().entries.len() as u64
    }

    /// Waits until there are `count` entries.
    pub async fn wait_for(&self, count: u64) {
        loop {
            let proposed = self.proposed.notified();
            if self.last_index() >= count {
                return;
            }
            proposed.await;
        }
    }

    pub fn entry(&self, index: u64) -> (Position, Option<Payload>) {
        self.state.lock().entries[index as usize - 1].clone()
    }
}

impl Consensus for Tape {
    fn propose(&self, term: u64, commands: Vec<Payload>, refused: OnRefused) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            {
                let mut state = self.state.lock();
                if state.refusing {
                    drop(state);
                    refused(Refused::NotLeader);
                    return;
                }
                for command in commands {
                    let index = state.entries.len() as u64 + 1;
                    state.entries.push((Position { term, index }, Some(command)));
                }
            }
            self.proposed.notify_waiters();
        })
    }

    fn confirm_leadership(&self, _: u64) -> BoxFuture<'_, Result<(), Refused>> {
        let deposed = self.state.lock().deposed;
        Box::pin(async move { if deposed { Err(Refused::NotLeader) } else { Ok(()) } })
    }

    fn wait_durable(&self, _: u64) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async { Ok(()) })
    }
}

/// One node's engine and how far it has applied the tape.
#[derive(Debug)]
pub struct Replica {
    pub engine: Engine,
    tape: Arc<Tape>,
    applied: u64,
}

impl Replica {
    pub fn open(dir: &Path, tape: &Arc<Tape>) -> Self {
        Self::open_with(dir, tape, Options::default(), 0)
    }

    pub fn open_with(dir: &Path, tape: &Arc<Tape>, options: Options, applied: u64) -> Self {
        Self::with(Engine::open(Env::real(), dir, options).unwrap(), tape, applied)
    }

    pub fn with(engine: Engine, tape: &Arc<Tape>, applied: u64) -> Self {
        engine.attach(tape.clone());
        engine.resume(Position { term: 0, index: applied });
        Self { engine, tape: tape.clone(), applied }
    }

    /// Applies the tape up to `index`.
    pub async fn apply_to(&mut self, index: u64) {
        while self.applied < index {
            self.applied += 1;
            match self.tape.entry(self.applied) {
                (position, Some(command)) => self.engine.apply(position, command).await.unwrap(),
                (position, None) => self.engine.pass(position).await.unwrap(),
            }
        }
    }

    /// Applies all there is.
    pub async fn apply_all(&mut self) {
        self.apply_to(self.tape.last_index()).await;
    }

    /// Skips the tape up to `index`, which a snapshot stands for.
    pub fn skip_to(&mut self, index: u64) {
        self.applied = index;
    }

    /// Makes the replica leader of `term`.
    pub async fn lead(&mut self, term: u64) {
        self.tape.push_blank(term);
        self.apply_all().await;
        self.engine.lead(term).await;
    }

    /// Runs `sql` in `session` and applies what it proposes while it waits.
    pub async fn run(&mut self, session: &mut Session, sql: &str) -> Result<Executed, Error> {
        self.drive(session.execute_script(sql.to_owned(), ())).await
    }

    /// Asks what became of a call.
    pub async fn outcome(&mut self, client: u128, mark: u64, since: u64) -> Result<Outcome, Error> {
        let engine = self.engine.clone();
        self.drive(engine.outcome("app", client, mark, since)).await
    }

    /// Does `work` and applies what is proposed while it waits.
    pub async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let tape = self.tape.clone();
        let mut work = std::pin::pin!(work);
        loop {
            let proposed = tape.proposed.notified();
            let mut proposed = std::pin::pin!(proposed);
            proposed.as_mut().enable();
            self.apply_all().await;
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = proposed => {}
            }
        }
    }

    /// The database as a file.
    pub async fn image(&self) -> Vec<u8> {
        self.engine.dump("app").await.unwrap()
    }
}

/// Collects rows as text.
#[derive(Debug, Default)]
pub struct Lines(pub Vec<String>);

impl RowSink for Lines {
    fn take(&mut self, rows: &mut Rows<'_>) -> Result<bool, Error> {
        while let Some(statement) = rows.advance()? {
            let cells: Vec<_> = (0..statement.column_count())
                .map(|column| match statement.value(column) {
                    ValueRef::Null => "NULL".to_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Real(number) => number.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    ValueRef::Blob(blob) => format!("{} bytes", blob.len()),
                })
                .collect();
            self.0.push(cells.join("|"));
        }
        Ok(false)
    }
}

/// All rows of a query.
pub async fn query(session: &mut Session, sql: &str) -> Result<Vec<String>, Error> {
    let source = Source::Text(sql.to_owned());
    Ok(session.query(source, (), Lines::default()).await?.sink.0)
}

/// Checks a database image and gives all rows of the table `t`.
pub fn rows_of(image: &[u8]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    std::fs::write(&path, image).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut statement = connection.prepare("SELECT a || '=' || b FROM t ORDER BY a").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
