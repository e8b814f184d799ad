//! What a connection knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dqlite_server::Watch;
use dqlite_wire::Text;
use dqlite_wire::call::{OpenSession, Opened, Place};
use parking_lot::Mutex;

use super::replay::Transcript;
use crate::error::Error;
use crate::operation::Running;
use crate::options::{Convert, Level};
use crate::session::{Canceller, Session};
use crate::target::Target;

/// A connection's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub database: String,
    pub level: Level,
    pub max_staleness: Option<Duration>,
    /// How long one call may take in all.
    pub timeout: Option<Duration>,
    pub busy_timeout: Duration,
    pub retry: bool,
    pub convert: Convert,
}

/// What the clones of a connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub target: Arc<Target>,
    pub settings: Settings,
    /// Names the connection in the record of outcomes.
    pub client: u128,
    pub facts: Facts,
    pub running: Arc<Running>,
    pub watch: Arc<CallWatch>,
    /// Whoever has it has its turn.
    pub work: tokio::sync::Mutex<Work>,
    /// Cursors that were dropped before their last row.
    pub dropped: Mutex<Vec<CursorAt>>,
    closed: AtomicBool,
    process: u32,
}

/// What anybody may ask for without waiting.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub in_transaction: AtomicBool,
    pub autocommit: AtomicBool,
    pub total_changes: AtomicU64,
    pub last_index: AtomicU64,
}

/// A cursor on a node, and the session that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CursorAt {
    pub session: u64,
    pub cursor: u32,
}

/// An open session, and which one it is.
#[derive(Debug)]
pub(crate) struct Seat {
    pub session: Session,
    pub number: u64,
    pub canceller: Canceller,
    /// What the session itself has changed so far.
    pub changes: u64,
    /// The session's own numbers of the cursors that the program holds.
    pub cursors: HashMap<u32, u32>,
    /// [`Opened::index`].
    pub opened: Opened,
}

/// The sessions, and what is known of the transaction on them.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// With the leader.
    pub leader: Option<Seat>,
    /// With any node, for reads that do not need the leader.
    pub reader: Option<Seat>,
    /// Why the open transaction is lost. Nothing runs before it is rolled back: what was to be part
    /// of it must not take effect by itself.
    pub lost: Option<Error>,
    /// What was called in the open transaction; `None` where it cannot be made again.
    pub transcript: Option<Transcript>,
    /// What was set of the connection, by name: each new session is set so too.
    pub settings: Vec<(&'static str, Text)>,
    /// The number of the newest call that may commit.
    pub mark: u64,
    /// The number of the newest cursor.
    pub cursor: u32,
    /// How many sessions there were.
    pub sessions: u64,
}

impl Work {
    /// Takes a new session in.
    pub fn seat(&mut self, mut session: Session, opened: Opened, watch: &Arc<CallWatch>) -> Seat {
        self.sessions += 1;
        session.set_watch(Some(watch.clone()));
        let canceller = session.canceller();
        let (number, cursors) = (self.sessions, HashMap::new());
        Seat { session, number, canceller, changes: 0, cursors, opened }
    }

    /// Notes that the connection was set so.
    pub fn set(&mut self, name: &'static str, sql: Text) {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, sql));
    }

    /// The session with this number.
    pub fn find(&mut self, number: u64) -> Option<&mut Seat> {
        [&mut self.leader, &mut self.reader]
            .into_iter()
            .flatten()
            .find(|seat| seat.number == number)
    }

    /// Forgets the session with this number.
    pub fn forget(&mut self, number: u64) {
        self.leader.take_if(|seat| seat.number == number);
        self.reader.take_if(|seat| seat.number == number);
    }
}

impl Shared {
    pub fn new(target: Arc<Target>, settings: Settings, autocommit: bool) -> Self {
        let entropy = &target.env.entropy;
        let client = u128::from(entropy.next()) << 64 | u128::from(entropy.next()) | 1;
        let running = Arc::new(Running::default());
        let watch = Arc::new(CallWatch { running: running.clone(), user: Mutex::default() });
        let facts = Facts { autocommit: autocommit.into(), ..Facts::default() };
        Self {
            target,
            settings,
            client,
            facts,
            running,
            watch,
            work: tokio::sync::Mutex::default(),
            dropped: Mutex::default(),
            closed: AtomicBool::new(false),
            process: std::process::id(),
        }
    }

    /// # Errors
    /// The connection came here by a fork.
    pub fn check_process(&self) -> Result<(), Error> {
        if self.process == std::process::id() {
            return Ok(());
        }
        let reason = "it was made before this process was forked: connect again here";
        Err(Error::new("forked", reason))
    }

    /// # Errors
    /// The connection was closed, or came here by a fork.
    pub fn check_open(&self) -> Result<(), Error> {
        self.check_process()?;
        self.check_not_closed()
    }

    /// # Errors
    /// The connection was closed.
    pub fn check_not_closed(&self) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::new("connection.closed", "the connection is closed"));
        }
        Ok(())
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Ends the sessions. What runs is cancelled.
    pub async fn close(&self) {
        if self.process != std::process::id() || self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.running.cancel();
        let mut work = self.work.lock().await;
        *work = Work { mark: work.mark, ..Work::default() };
        self.facts.in_transaction.store(false, Ordering::SeqCst);
        drop(work);
        if let Some(lease) = &self.target.lease {
            lease.end().await;
        }
    }

    /// How a session is opened.
    pub fn open(&self, place: Place) -> OpenSession {
        OpenSession {
            database: self.settings.database.as_str().into(),
            client: self.client,
            place,
            busy_timeout_ms: millis(self.settings.busy_timeout),
        }
    }
}

/// Asked by whoever runs SQLite whether to go on.
#[derive(Debug)]
pub(crate) struct CallWatch {
    running: Arc<Running>,
    user: Mutex<Option<UserWatch>>,
}

#[derive(Clone)]
struct UserWatch(Arc<dyn Watch>);

impl std::fmt::Debug for UserWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Watch")
    }
}

impl CallWatch {
    pub fn set(&self, watch: Option<Arc<dyn Watch>>) {
        *self.user.lock() = watch.map(UserWatch);
    }

    /// Whether the program wants to be asked.
    pub fn is_set(&self) -> bool {
        self.user.lock().is_some()
    }

    /// Whether the program wants the call to stop.
    pub fn user_wants_stop(&self) -> bool {
        // Not under the lock: the program's code may call back.
        let watch = self.user.lock().clone();
        watch.is_some_and(|watch| watch.0.should_stop())
    }
}

impl Watch for CallWatch {
    fn should_stop(&self) -> bool {
        if self.running.is_over() {
            return true;
        }
        let stop = self.user_wants_stop();
        if stop {
            self.running.cancel();
        }
        stop
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
