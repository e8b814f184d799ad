//! One database on one node.
//!
//! It is in one of two states. While this node leads, it has a *live* session of leadership: SQLite
//! connections write, each commit is captured and proposed, and what comes back from the log
//! committed only confirms frames that are in the WAL already. Otherwise, what comes back is put
//! into the WAL. Between the two stands the undo:
//!
//! 1. A transition (begin, undo, applying an entry) excludes every other: `transition`.
//! 2. Only while there is a live session does a commit get past [`Database::capture`].
//! 3. An undo ends the live session first, so nothing new is captured; then takes every connection
//!    away; then cuts the WAL back to what is committed.
//! 4. An entry that this node's live session did not make is put into the WAL only when no live
//!    session is left.

mod apply;
mod capture;
mod checkpoint;
mod outcome;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use dqlite_env::{File, OpenMode};
use dqlite_vfs::{AuthContext, Page, WalPosition};
use parking_lot::Mutex;

use crate::authorizer::Refusals;
use crate::cell::Cell;
use crate::chain::{Chain, Open, SessionId};
use crate::context::Context;
use crate::error::Error;
use crate::lane::Lane;
use crate::meta::{Meta, MetaFile};
use crate::name::DatabaseName;
use crate::operation::{Operations, STEPS_BETWEEN_QUESTIONS};
use crate::outcomes::record::RecordFile;
use crate::outcomes::{Call, LastCalls};
use crate::speculation::Speculation;
use capture::Sink;

pub(crate) use outcome::Marked;

#[derive(Debug)]
pub(crate) struct Database {
    pub name: DatabaseName,
    context: Arc<Context>,
    vfs: dqlite_vfs::Database,
    /// The database's file, locked as SQLite locks it.
    file: Arc<dyn File>,
    pub lane: Lane,
    transition: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    meta: Mutex<MetaFile>,
    record_file: RecordFile,
    /// The call that the holder of the write lane runs, if its outcome may be asked for.
    running_call: Mutex<Option<Call>>,
    checkpointing: tokio::sync::Mutex<()>,
    checkpoint_asked: AtomicBool,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    chain: Chain,
    /// The parts so far of a transaction that came from the log, and their pages.
    open: Option<Open>,
    staged: Vec<(u32, Page)>,
    live: Option<Arc<Speculation>>,
    /// The session of leadership of which the WAL may hold what is not committed: the live one,
    /// and after that until its undo is done.
    shown: Option<Arc<Speculation>>,
    /// Sessions that ended here before all their transactions were settled.
    retired: Vec<Arc<Speculation>>,
    /// The term and number of the next session that this node may begin.
    next_session: SessionId,
    /// Where the WAL ends with what is committed.
    committed: WalPosition,
    /// What is committed but not yet known to be in the file, oldest first.
    marks: VecDeque<Mark>,
    /// The record of outcomes, without those of `marks`: as it stands beside the file.
    last_calls: Arc<LastCalls>,
    /// The calls that may not commit any more, noted as the `fence_count`th and those before.
    fences: LastCalls,
    fence_count: u64,
    /// From where on a restart of the WAL is worth a pause.
    restart_at: WalPosition,
    cells: BTreeMap<u64, Weak<Cell>>,
    next_cell: u64,
}

/// A committed transaction in the WAL.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where the WAL ends with it.
    end: WalPosition,
    /// The index of the entry that held the transaction's first part.
    first_index: u64,
    chain: Chain,
    /// The call that committed it.
    call: Option<Call>,
}

/// What a database is doing, for people to see.
#[derive(Clone, Debug)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// The index of the entry that last changed it.
    pub applied_index: u64,
    /// All up to this index is in its file.
    pub checkpoint_index: u64,
    /// Its size in pages of 4096 bytes.
    pub page_count: u32,
    /// What its WAL holds in memory, in bytes.
    pub wal_bytes: u64,
}

/// What kind of connection a session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Write,
    Read,
}

impl Database {
    /// Opens the database `name` in the folder `dir`, or creates it there. Blocks.
    pub fn open(context: Arc<Context>, dir: &Path, name: DatabaseName) -> io::Result<Arc<Self>> {
        let files = &context.env.files;
        let stem = name.file_stem();
        let file = files.open(&dir.join(format!("{stem}.db")), OpenMode::Create)?;
        file.lock_database().map_err(|error| {
            let reason = format!("database {name} is in use by another program: {error}");
            io::Error::new(error.kind(), reason)
        })?;
        let meta_file = files.open(&dir.join(format!("{stem}.meta")), OpenMode::Create)?;
        let meta = match MetaFile::open(meta_file.clone())? {
            Some(meta) => meta,
            // Without a record nothing was ever checkpointed: at most the first page is there.
            None => {
                file.set_len(0)?;
                file.write_all_at(&dqlite_vfs::Database::FIRST_PAGE[..], 0)?;
                file.sync_all()?;
                let meta = MetaFile::create(meta_file, Meta::default())?;
                files.sync_dir(dir)?;
                meta
            }
        };
        let record_file = RecordFile::new(files.clone(), dir, &stem);
        let last_calls = Arc::new(record_file.load(meta.get().voucher)?);
        let sink = Arc::new(Sink::default());
        let vfs = dqlite_vfs::Database::open(file.clone(), sink.clone())?;
        let state = State {
            chain: meta.get().chain,
            committed: vfs.position(),
            last_calls,
            ..State::default()
        };
        let database = Arc::new(Self {
            name,
            context,
            vfs,
            file,
            lane: Lane::default(),
            transition: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            meta: Mutex::new(meta),
            record_file,
            running_call: Mutex::default(),
            checkpointing: tokio::sync::Mutex::default(),
            checkpoint_asked: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        sink.connect(&database);
        Ok(database)
    }

    /// Opens a connection for a session that writes and reads as leader of `term`.
    pub async fn connect_leader(
        self: &Arc<Self>,
        term: u64,
    ) -> Result<(Arc<Cell>, Arc<Speculation>), Error> {
        let _transition = self.transition.lock().await; // (1)
        if self.context.leading_term() != Some(term) {
            return Err(Error::NotLeader);
        }
        if self.is_recovering() {
            return Err(Error::Recovering);
        }
        let speculation = self.begin(term);
        Ok((self.seat(Use::Write).await?, speculation))
    }

    /// Opens a connection that reads what this node has applied, leader or not. On a leader that
    /// may be more than is committed: [`shown`](Self::shown) tells what to wait for.
    pub async fn connect_local(self: &Arc<Self>) -> Result<Arc<Cell>, Error> {
        let _transition = self.transition.lock().await; // (1)
        if self.is_recovering() {
            return Err(Error::Recovering);
        }
        self.seat(Use::Read).await
    }

    /// The session of leadership that what was just read may be of. To be asked while the
    /// connection that read is still held: no undo is done before that lets go.
    pub fn shown(&self) -> Option<Arc<Speculation>> {
        self.state.lock().shown.clone()
    }

    async fn seat(self: &Arc<Self>, using: Use) -> Result<Arc<Cell>, Error> {
        let database = self.clone();
        self.context
            .env
            .blocking
            .run(move || {
                let mut connection = database.vfs.connect()?;
                if using == Use::Read {
                    connection.refuse_writes()?;
                }
                let operations = Arc::<Operations>::default();
                let asked = operations.clone();
                let ask = move || asked.should_stop();
                connection.set_progress_handler(STEPS_BETWEEN_QUESTIONS, Some(ask))?;
                let refusals = Refusals::new(using == Use::Read);
                let deciding = refusals.clone();
                connection.set_authorizer(Some(move |context: AuthContext<'_>| {
                    deciding.decide(&context)
                }))?;
                let cell = Arc::new(Cell::new(connection, refusals, operations));
                let mut state = database.state.lock();
                state.cells.retain(|_, cell| cell.strong_count() > 0);
                let id = state.next_cell;
                state.next_cell += 1;
                state.cells.insert(id, Arc::downgrade(&cell));
                Ok(cell)
            })
            .await
    }

    /// The live session of leadership, begun if need be.
    fn begin(&self, term: u64) -> Arc<Speculation> {
        let mut state = self.state.lock();
        if let Some(live) = &state.live {
            assert_eq!(live.id.term, term, "one session of leadership at a time");
            return live.clone();
        }
        let id = SessionId { term, epoch: 0 }.max(state.next_session);
        state.next_session = SessionId { term, epoch: id.epoch + 1 };
        let speculation = Speculation::new(id, state.chain.index);
        state.live = Some(speculation.clone());
        state.shown = Some(speculation.clone());
        speculation
    }

    /// Ends the live session, if there is one, and undoes what it had not committed.
    pub async fn step_down(self: &Arc<Self>) -> io::Result<()> {
        let _transition = self.transition.lock().await; // (1)
        self.undo().await
    }

    /// Ends `speculation`, if it is live, and undoes what it had not committed.
    pub async fn abandon(self: &Arc<Self>, speculation: &Arc<Speculation>) -> io::Result<()> {
        let _transition = self.transition.lock().await; // (1)
        let is_live = {
            let state = self.state.lock();
            state.live.as_ref().is_some_and(|live| Arc::ptr_eq(live, speculation))
        };
        if is_live { self.undo().await } else { Ok(()) }
    }

    /// The undo. The caller holds `transition`. (3)
    async fn undo(self: &Arc<Self>) -> io::Result<()> {
        let cells: Vec<_> = {
            let mut state = self.state.lock();
            let Some(live) = state.live.take() else { return Ok(()) };
            if !live.is_settled() {
                state.retired.push(live);
            }
            std::mem::take(&mut state.cells).into_values().filter_map(|it| it.upgrade()).collect()
        };
        if self.context.faults.skip_undo {
            return Ok(());
        }
        let database = self.clone();
        self.context
            .env
            .blocking
            .run(move || {
                for cell in cells {
                    cell.revoke();
                }
                let committed = database.state.lock().committed;
                database.vfs.undo_to(committed).map_err(io::Error::other)?;
                database.state.lock().shown = None;
                Ok(())
            })
            .await
    }

    /// Closes every connection and waits for a checkpoint that runs; no other will. For a node that
    /// stops, or takes in a snapshot.
    pub async fn close(self: &Arc<Self>) -> io::Result<()> {
        let _transition = self.transition.lock().await; // (1)
        self.undo().await?;
        let cells: Vec<_> = std::mem::take(&mut self.state.lock().cells)
            .into_values()
            .filter_map(|cell| cell.upgrade())
            .collect();
        self.context.env.blocking.run(move || cells.iter().for_each(|cell| cell.revoke())).await;
        self.state.lock().retired.clear(); // Nobody is left who could find out more.
        let _checkpointing = self.checkpointing.lock().await;
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// True while the file may hold pages of transactions that are not applied again yet.
    pub fn is_recovering(&self) -> bool {
        self.context.applied_index() < self.meta.lock().get().consistent_at
    }

    /// The database's file, for a snapshot to read.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// What is durably known about the file.
    pub fn durable_meta(&self) -> Meta {
        self.meta.lock().get()
    }

    /// True where an entry of the log ever changed the database.
    pub fn is_used(&self) -> bool {
        self.state.lock().chain.index > 0
    }

    /// What the database is doing.
    pub fn status(&self) -> DatabaseStatus {
        DatabaseStatus {
            name: self.name.as_str().to_owned(),
            applied_index: self.state.lock().chain.index,
            checkpoint_index: self.durable_meta().chain.index,
            page_count: self.vfs.page_count(),
            wal_bytes: self.vfs.wal_bytes() as u64,
        }
    }

    /// The bytes of commits that wait for the log, and a ticket for the oldest of them.
    pub fn backlog(&self) -> Option<(u64, crate::speculation::Ticket)> {
        let live = self.state.lock().live.clone()?;
        let (bytes, sequence) = live.backlog();
        Some((bytes, crate::speculation::Ticket { speculation: live, sequence }))
    }

    fn ask_for_checkpoint(self: &Arc<Self>) {
        if !self.checkpoint_asked.swap(true, Ordering::SeqCst) {
            // The receiver is gone only when the engine is.
            let _ = self.context.checkpoints.send(self.clone());
        }
    }
}
