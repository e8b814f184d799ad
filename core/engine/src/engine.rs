//! All databases of a node, and their side of the log.

mod machine;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dqlite_env::Env;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::consensus::Consensus;
use crate::context::{Context, Options};
use crate::database::{Database, DatabaseStatus};
use crate::error::Error;
use crate::folder;
use crate::name::DatabaseName;
use crate::outcomes::{Call, Outcome};
use crate::pipeline::{self, Broken, Proposal};
use crate::session::Session;

/// The databases of one node. Clones are the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    context: Arc<Context>,
    consensus: OnceLock<Arc<dyn Consensus>>,
    data_dir: PathBuf,
    databases: Mutex<Databases>,
    failure: watch::Sender<Option<String>>,
    inbox: Mutex<Option<Inbox>>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Databases {
    dir: PathBuf,
    number: u64,
    by_name: BTreeMap<DatabaseName, Arc<Database>>,
}

/// What the engine's tasks read from.
#[derive(Debug)]
struct Inbox {
    proposals: mpsc::UnboundedReceiver<Proposal>,
    checkpoints: mpsc::UnboundedReceiver<Arc<Database>>,
}

impl Engine {
    /// Opens the databases that are in the folder `data_dir`. Blocks.
    pub fn open(env: Env, data_dir: &Path, options: Options) -> io::Result<Self> {
        let (proposals_in, proposals) = mpsc::unbounded_channel();
        let (checkpoints_in, checkpoints) = mpsc::unbounded_channel();
        let context = Arc::new(Context::new(env, options, proposals_in, checkpoints_in));
        let (dir, number) = folder::open(&*context.env.files, data_dir)?;
        let by_name = load(&context, &dir)?;
        let shared = Shared {
            context,
            consensus: OnceLock::new(),
            data_dir: data_dir.to_owned(),
            databases: Mutex::new(Databases { dir, number, by_name }),
            failure: watch::Sender::new(None),
            inbox: Mutex::new(Some(Inbox { proposals, checkpoints })),
            tasks: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts the tasks that take commits to `consensus` and databases to their files. Once.
    pub fn attach(&self, consensus: Arc<dyn Consensus>) {
        let Some(inbox) = self.shared.inbox.lock().take() else { return };
        let _ = self.shared.consensus.set(consensus.clone());
        let (broken_in, broken) = mpsc::unbounded_channel();
        let mut tasks = self.shared.tasks.lock();
        tasks.spawn(pipeline::run(inbox.proposals, consensus.clone(), broken_in));
        let failure = self.shared.failure.clone();
        tasks.spawn(keep_checkpointing(inbox.checkpoints, consensus, failure.clone()));
        tasks.spawn(keep_mending(broken, failure));
    }

    /// Opens a session with the database `name`, which is created if need be. Leader only.
    pub async fn open_session(&self, name: &str) -> Result<Session, Error> {
        let name = DatabaseName::new(name)?;
        let context = &self.shared.context;
        let consensus = self.shared.consensus.get().ok_or(Error::NotLeader)?;
        let term = context.leading_term().ok_or(Error::NotLeader)?;
        let database = self.find_or_create(name).await?;
        let (cell, speculation) = database.connect_leader(term).await?;
        let (context, consensus) = (context.clone(), consensus.clone());
        Ok(Session::new(context, consensus, database, cell, Some(speculation)))
    }

    /// Opens a session that reads what this node has applied of the database `name`, whether it
    /// leads or not.
    pub async fn open_reader(&self, name: &str) -> Result<Session, Error> {
        let name = DatabaseName::new(name)?;
        let consensus = self.shared.consensus.get().ok_or(Error::NotLeader)?.clone();
        let database = self.find_or_create(name).await?;
        let cell = database.connect_local().await?;
        Ok(Session::new(self.shared.context.clone(), consensus, database, cell, None))
    }

    /// All entries of the log up to this index are applied.
    pub fn applied_index(&self) -> u64 {
        self.shared.context.applied_index()
    }

    /// Resolves once all entries of the log up to `index` are applied.
    pub async fn wait_applied(&self, index: u64) {
        self.shared.context.wait_applied(index).await;
    }

    /// An index at or after everything that any node acknowledged before the call: who has applied
    /// the log up to it misses nothing of that.
    ///
    /// # Errors
    /// [`Error::NotLeader`] when it is not certain that this node leads.
    pub async fn barrier(&self) -> Result<u64, Error> {
        let context = &self.shared.context;
        let consensus = self.shared.consensus.get().ok_or(Error::NotLeader)?;
        let term = context.leading_term().ok_or(Error::NotLeader)?;
        // Before leadership is confirmed: what is acknowledged later need not be in.
        let index = context.reached_index();
        if consensus.leads_for_certain(term) {
            return Ok(index);
        }
        let confirmed = consensus.confirm_leadership(term);
        match tokio::time::timeout(context.options.commit_timeout, confirmed).await {
            Ok(Ok(())) => Ok(index),
            Ok(Err(_)) | Err(_) => Err(Error::NotLeader),
        }
    }

    /// What became of the commit of the call `mark` of `client` on the database `name`, which was
    /// made by a session that was opened when everything up to `since` was applied. Leader only.
    ///
    /// The answer stays true: the client's sessions with the database end here and now, and should
    /// one be opened later, it takes no call up to `mark`. This holds for a client that begins no
    /// such call on another session after it has asked; so it must not send one with the request
    /// that opens the session, before that is answered.
    ///
    /// # Errors
    /// [`Error::NotLeader`] where the lead was lost or could not be confirmed: ask again.
    pub async fn outcome(
        &self,
        name: &str,
        client: u128,
        mark: u64,
        since: u64,
    ) -> Result<Outcome, Error> {
        let name = DatabaseName::new(name)?;
        let call = Call::new(client, mark).ok_or(Error::Unmarked)?;
        let context = &self.shared.context;
        let consensus = self.shared.consensus.get().ok_or(Error::NotLeader)?;
        let term = context.leading_term().ok_or(Error::NotLeader)?;
        let deadline = tokio::time::Instant::now() + context.options.commit_timeout;
        let database = self.find_or_create(name).await?;
        database.fence(call, deadline).await?;
        let outcome = database.outcome(call, since);
        match tokio::time::timeout_at(deadline, consensus.confirm_leadership(term)).await {
            Ok(Ok(())) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(Error::NotLeader),
        }
    }

    /// The record of outcomes of a database as this node has applied it, in its bytes on disk.
    #[doc(hidden)]
    pub fn record_of_outcomes(&self, name: &str) -> Result<Vec<u8>, Error> {
        let database = self.find(&DatabaseName::new(name)?).ok_or(Error::NoDatabase)?;
        Ok(database.last_calls().encode())
    }

    /// True while this node leads and has applied all that was committed before.
    pub fn is_leading(&self) -> bool {
        self.shared.context.leading_term().is_some()
    }

    /// Resolves once this node leads and has applied all that was committed before.
    pub async fn wait_leading(&self) {
        self.shared.context.wait_leading().await;
    }

    /// The whole of a database as one SQLite file, as this node has applied it. On any node; the
    /// leader's holds only what is committed.
    pub async fn dump(&self, name: &str) -> Result<Vec<u8>, Error> {
        let name = DatabaseName::new(name).map_err(|_| Error::NoDatabase)?;
        let database = self.find(&name).filter(|it| it.is_used()).ok_or(Error::NoDatabase)?;
        let cell = database.connect_local().await?;
        let read = move || {
            cell.with(|inner| {
                let connection = inner.connection.as_mut().ok_or(Error::NotLeader)?;
                let image = connection.serialize()?;
                Ok((image, database.shown().map(|speculation| speculation.ticket())))
            })
        };
        let read = self.shared.context.env.blocking.run(read).await;
        let (image, ticket) = read.unwrap_or(Err(Error::NotLeader))?;
        if let Some(ticket) = ticket {
            let timeout = self.shared.context.options.commit_timeout;
            let deadline = tokio::time::Instant::now() + timeout;
            ticket.settled(deadline).await.map_err(|_| Error::NotLeader)?;
        }
        Ok(image)
    }

    /// Replaces the content of the database `name` by that of the SQLite file at `path`, in one
    /// transaction. Leader only.
    pub async fn import(&self, name: &str, path: PathBuf) -> Result<(), Error> {
        self.open_session(name).await?.import(path).await
    }

    /// The databases that hold anything, by name.
    pub fn databases(&self) -> Vec<DatabaseStatus> {
        let databases = self.shared.databases.lock();
        databases.by_name.values().filter(|it| it.is_used()).map(|it| it.status()).collect()
    }

    /// Resolves when the engine cannot go on, with the reason: the node must stop.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends all sessions and tasks, and lets go of the files.
    pub async fn close(&self) -> io::Result<()> {
        self.shared.context.set_leading_term(0);
        for database in self.all() {
            database.close().await?;
        }
        let mut tasks = std::mem::take(&mut *self.shared.tasks.lock());
        tasks.shutdown().await;
        self.shared.databases.lock().by_name.clear();
        Ok(())
    }

    fn all(&self) -> Vec<Arc<Database>> {
        self.shared.databases.lock().by_name.values().cloned().collect()
    }

    fn find(&self, name: &DatabaseName) -> Option<Arc<Database>> {
        self.shared.databases.lock().by_name.get(name).cloned()
    }

    async fn find_or_create(&self, name: DatabaseName) -> io::Result<Arc<Database>> {
        if let Some(database) = self.find(&name) {
            return Ok(database);
        }
        let shared = self.shared.clone();
        self.shared
            .context
            .env
            .blocking
            .run(move || {
                let mut databases = shared.databases.lock();
                if let Some(database) = databases.by_name.get(&name) {
                    return Ok(database.clone());
                }
                let database =
                    Database::open(shared.context.clone(), &databases.dir, name.clone())?;
                databases.by_name.insert(name, database.clone());
                Ok(database)
            })
            .await
    }
}

fn load(context: &Arc<Context>, dir: &Path) -> io::Result<BTreeMap<DatabaseName, Arc<Database>>> {
    let mut by_name = BTreeMap::new();
    for file in context.env.files.list(dir)? {
        let Some(stem) = file.strip_suffix(".db") else { continue };
        let Some(name) = DatabaseName::from_file_stem(stem) else {
            let reason = format!("{} is not the file of a database", dir.join(&file).display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        };
        by_name.insert(name.clone(), Database::open(context.clone(), dir, name)?);
    }
    Ok(by_name)
}

/// Checkpoints the databases that ask for it, one at a time.
async fn keep_checkpointing(
    mut asking: mpsc::UnboundedReceiver<Arc<Database>>,
    consensus: Arc<dyn Consensus>,
    failure: watch::Sender<Option<String>>,
) {
    while let Some(database) = asking.recv().await {
        let checkpointed = match database.checkpoint(&*consensus).await {
            Ok(()) => database.restart_wal_if_long(&*consensus).await,
            Err(error) => Err(error),
        };
        if let Err(error) = checkpointed {
            report(&failure, &database, "checkpoint", &error);
        }
    }
}

/// Undoes the databases whose commits the log has refused.
async fn keep_mending(
    mut broken: mpsc::UnboundedReceiver<Broken>,
    failure: watch::Sender<Option<String>>,
) {
    while let Some(Broken { database, speculation }) = broken.recv().await {
        if let Err(error) = database.abandon(&speculation).await {
            report(&failure, &database, "undo", &error);
        }
    }
}

fn report(
    failure: &watch::Sender<Option<String>>,
    database: &Database,
    what: &str,
    error: &io::Error,
) {
    tracing::error!(database = %database.name, %error, "{what} failed, the node must stop");
    failure.send_replace(Some(format!("{what} of database {}: {error}", database.name)));
}
