//! A client's session: its connection, its statements, its transaction. It reads and writes on the
//! leader, or only reads what any node has applied.
//!
//! Every call runs the same way: take the write lane if the statement will write, run SQLite where
//! it may block, then *conclude*: wait until everything the answer may tell of is committed, and,
//! for what was only read, until it is certain that this node still led after it was read. Errors
//! and empty results are concluded like all others.

mod backup;
mod calls;
mod import;
mod run;
mod script;
mod turn;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dqlite_vfs::{Statement, StatementId, Step, ValueRef};
use tokio::sync::Notify;

use crate::call::Standing;
use crate::cell::{Cell, INTERRUPT_EVERY};
use crate::consensus::Consensus;
use crate::context::Context;
use crate::database::Database;
use crate::error::Error;
use crate::operation::{Canceller, Operation, Watch};
use crate::outcomes;
use crate::speculation::Speculation;

pub(crate) use run::{Attempt, prepare_only};
pub use run::{Batch, Cursor};

/// The values for a statement's places, in order.
pub trait Parameters: Send + 'static {
    /// How many there are.
    fn count(&self) -> usize;
    /// The values.
    fn values(&self) -> impl Iterator<Item = ValueRef<'_>>;
}

impl Parameters for () {
    fn count(&self) -> usize {
        0
    }

    fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        std::iter::empty()
    }
}

/// Where the rows of a result go.
pub trait RowSink: Send + 'static {
    /// Takes rows until it is full or there are no more. Gives true when it is full.
    fn take(&mut self, rows: &mut Rows<'_>) -> Result<bool, Error>;
}

/// The rows of a result, as far as they are not taken yet.
#[derive(Debug)]
pub struct Rows<'a> {
    statement: &'a mut Statement,
    may_pause: bool,
}

impl Rows<'_> {
    /// The statement, for its columns.
    pub fn statement(&self) -> &Statement {
        self.statement
    }

    /// Moves on to the next row, and gives the statement to read it from.
    pub fn advance(&mut self) -> Result<Option<&Statement>, Error> {
        match self.statement.step()? {
            Step::Row => Ok(Some(self.statement)),
            Step::Done => Ok(None),
        }
    }

    /// False where all rows must be taken now: the statement writes, and must not hold the
    /// database's write lock until somebody has read them.
    pub fn may_pause(&self) -> bool {
        self.may_pause
    }
}

/// What is known of a statement once it is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its id in the session.
    pub id: StatementId,
    /// The number of its places for values.
    pub parameter_count: usize,
    /// Where the text goes on after it, in bytes.
    pub tail_offset: usize,
}

/// What a statement without rows did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// The connection's last inserted rowid.
    pub last_insert_rowid: i64,
    /// The rows that the last statement to insert, update or delete changed.
    pub changes: u64,
}

/// A statement to run: one that is prepared, or text that holds exactly one.
#[derive(Clone, Debug)]
pub enum Source {
    /// A prepared statement.
    Prepared(StatementId),
    /// The text of one statement.
    Text(String),
}

/// What preparing does with text behind the first statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// An error.
    Refuse,
    /// The caller learns where it begins.
    Report,
}

/// How sure a session's reads are that nobody else has written since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Every read sees all that was acknowledged before it began, by any node.
    #[default]
    Linearizable,
    /// A leader that was deposed and does not know it yet may answer, for as long as its election
    /// timeout.
    Leader,
}

/// A session of one client with one database.
#[derive(Debug)]
pub struct Session {
    context: Arc<Context>,
    consensus: Arc<dyn Consensus>,
    database: Arc<Database>,
    cell: Arc<Cell>,
    /// What it writes in; `None` where it only reads.
    speculation: Option<Arc<Speculation>>,
    interrupted: Arc<Notify>,
    /// The next call does no more than open a transaction.
    only_begins: bool,
    /// Prepared statements that are known to need the lane.
    writing: BTreeSet<StatementId>,
    busy_timeout: Duration,
    consistency: Consistency,
    /// Stands for the client in the record of outcomes; 0 for none.
    client: u128,
    mark: u64,
    /// The highest mark that the client may not use any more.
    fenced: u64,
    standing: Standing,
}

/// Stops what a session is doing, from anywhere.
#[derive(Clone, Debug)]
pub struct Interrupter {
    cell: Arc<Cell>,
    interrupted: Arc<Notify>,
}

impl Interrupter {
    /// Stops the statement that runs or waits for its turn to write, if there is one. One that is
    /// about to start may slip through: call again until the session's call has returned.
    pub fn interrupt(&self) {
        self.cell.interrupt();
        self.interrupted.notify_waiters();
    }
}

impl Session {
    pub(crate) fn new(
        context: Arc<Context>,
        consensus: Arc<dyn Consensus>,
        database: Arc<Database>,
        cell: Arc<Cell>,
        speculation: Option<Arc<Speculation>>,
    ) -> Self {
        let busy_timeout = context.options.busy_timeout;
        Self {
            context,
            consensus,
            database,
            cell,
            speculation,
            interrupted: Arc::default(),
            only_begins: false,
            writing: BTreeSet::new(),
            busy_timeout,
            consistency: Consistency::default(),
            client: 0,
            mark: 0,
            fenced: 0,
            standing: Standing::default(),
        }
    }

    /// Says whose session it is, before its first call; 0 for a client that will not ask what
    /// became of its commits. A session that only reads is nobody's: it need not end when its
    /// client asks.
    pub fn set_client(&mut self, client: u128) {
        if !self.only_reads() {
            self.client = client;
            self.fenced = self.database.admit(&self.cell, client);
        }
    }

    /// Sets the number that stands in the record of outcomes for what the next calls commit; 0 for
    /// none. Each call of a client that may commit has a higher one.
    pub fn set_mark(&mut self, mark: u64) {
        self.mark = mark;
    }

    /// What the record of outcomes is to say of the next call's commit.
    fn marked_call(&self) -> Result<Option<outcomes::Call>, Error> {
        let is_fenced = self.mark != 0 && self.mark <= self.fenced;
        if is_fenced { Err(Error::Fenced) } else { Ok(outcomes::Call::new(self.client, self.mark)) }
    }

    /// Sets how long a write waits for its turn.
    pub fn set_busy_timeout(&mut self, timeout: Duration) {
        self.busy_timeout = timeout;
    }

    /// Sets how sure reads are.
    pub fn set_consistency(&mut self, consistency: Consistency) {
        self.consistency = consistency;
    }

    /// Sets who is asked now and then whether what runs or waits is to stop.
    pub fn set_watch(&mut self, watch: Option<Arc<dyn Watch>>) {
        self.cell.operations().set_watch(watch);
    }

    /// Begins an operation, of which there is one at a time: one call, and what belongs to it.
    pub fn begin_operation(&mut self, timeout: Option<Duration>) -> Operation {
        self.cell.operations().begin(timeout)
    }

    /// A handle that stops the operation that goes on when it is used.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(self.cell.operations().clone())
    }

    /// True where a transaction was open after the last call, be that one failed or not.
    pub fn was_in_transaction(&self) -> bool {
        self.standing.in_transaction
    }

    /// True where the session only reads.
    pub fn only_reads(&self) -> bool {
        self.speculation.is_none()
    }

    /// A handle that stops what the session is doing.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { cell: self.cell.clone(), interrupted: self.interrupted.clone() }
    }

    /// True once the session has lost its connection for good: this node lost the lead.
    pub fn is_over(&self) -> bool {
        self.cell.is_revoked()
    }

    /// The error of a session that is over.
    fn over(&self) -> Error {
        let Some(speculation) = &self.speculation else { return Error::SessionEnded };
        let leading = self.context.leading_term() == Some(speculation.id.term);
        if leading { Error::SessionEnded } else { Error::NotLeader }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.cell.abandon() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let cell = self.cell.clone();
        runtime.spawn(async move {
            while !cell.abandon() {
                tokio::time::sleep(INTERRUPT_EVERY).await;
            }
        });
    }
}
