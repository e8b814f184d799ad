//! A session with a node: by a call when the node is in this process, over the wire otherwise.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dqlite_client::{
    BackupProgress, CallSession as RemoteSession, Canceller as RemoteCanceller, Fault,
};
use dqlite_env::Env;
use dqlite_server::{
    Blocking, CallError, CallSession as LocalSession, Canceller as LocalCanceller, Watch,
};
use dqlite_wire::call::{BatchLimits, Fetched, Ran, Run};
use dqlite_wire::codes;
use tokio::time::Instant;

use crate::backup::Progress;

/// No call takes longer; for calls that have no deadline of their own.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A session.
#[derive(Debug)]
pub(crate) enum Session {
    Local(Box<LocalSession>),
    Remote(Box<RemoteSession>),
}

/// Stops what a session is doing.
#[derive(Clone, Debug)]
pub(crate) enum Canceller {
    Local(LocalCanceller),
    Remote(RemoteCanceller),
}

impl Canceller {
    pub fn cancel(&self) {
        match self {
            Self::Local(canceller) => canceller.cancel(),
            Self::Remote(canceller) => canceller.cancel(),
        }
    }
}

/// SQLite's code for a file that cannot be opened.
const CANNOT_OPEN: u64 = 14;

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Where SQLite runs when the node is in this process.
    pub blocking: Blocking,
    /// When the call must have ended.
    pub deadline: Option<Instant>,
}

impl Manner {
    fn deadline(self) -> Instant {
        self.deadline.unwrap_or_else(|| Instant::now() + NEVER)
    }
}

impl Session {
    pub async fn run(&mut self, run: Run, manner: Manner) -> Result<Ran, Fault> {
        match self {
            Self::Local(session) => session.run(run, manner.blocking).await.map_err(refused),
            Self::Remote(session) => Box::pin(session.run(&run, manner.deadline())).await,
        }
    }

    pub async fn fetch(
        &mut self,
        cursor: u32,
        limits: BatchLimits,
        manner: Manner,
    ) -> Result<Fetched, Fault> {
        match self {
            Self::Local(session) => {
                session.fetch(cursor, limits, manner.blocking).await.map_err(refused)
            }
            Self::Remote(session) => session.fetch(cursor, limits, manner.deadline()).await,
        }
    }

    pub async fn close_cursor(&mut self, cursor: u32, manner: Manner) -> Result<(), Fault> {
        match self {
            Self::Local(session) => session.close_cursor(cursor).await.map_err(refused),
            Self::Remote(session) => session.close_cursor(cursor, manner.deadline()).await,
        }
    }

    pub async fn backup(
        &mut self,
        env: &Env,
        path: &Path,
        progress: &mut (dyn FnMut(Progress) -> bool + Send),
        manner: Manner,
    ) -> Result<(), Fault> {
        match self {
            Self::Local(session) => session
                .backup(path, |at| progress(Progress::of(at.remaining_pages, at.total_pages)))
                .await
                .map_err(|error| match codes::primary(error.code) {
                    // Nothing but the caller's file is opened for it.
                    CANNOT_OPEN => Fault::File(error.message),
                    _ => refused(error),
                }),
            Self::Remote(session) => {
                let told =
                    |at: BackupProgress| progress(Progress::of(at.remaining_pages, at.total_pages));
                session.backup(env, path, told, manner.deadline()).await
            }
        }
    }

    /// Waits until the node has applied the log up to `index`.
    pub async fn wait(
        &mut self,
        node: Option<&dqlite_server::Node>,
        index: u64,
        manner: Manner,
    ) -> Result<(), Fault> {
        match (self, node) {
            (Self::Remote(session), _) => session.wait(index, manner.deadline()).await.map(|_| ()),
            (Self::Local(_), Some(node)) => {
                let waited = tokio::time::timeout_at(manner.deadline(), node.wait_applied(index));
                waited.await.map_err(|_| Fault::TimedOut { sent: false })
            }
            (Self::Local(_), None) => Ok(()),
        }
    }

    pub fn set_watch(&mut self, watch: Option<Arc<dyn Watch>>) {
        if let Self::Local(session) = self {
            session.set_watch(watch);
        }
    }

    pub fn canceller(&self) -> Canceller {
        match self {
            Self::Local(session) => Canceller::Local(session.canceller()),
            Self::Remote(session) => Canceller::Remote(session.canceller()),
        }
    }

    /// Whether another call may be made.
    pub fn is_fit(&mut self) -> bool {
        match self {
            Self::Local(session) => !session.is_over(),
            Self::Remote(session) => session.is_fit(),
        }
    }
}

pub(crate) fn refused(error: CallError) -> Fault {
    Fault::Refused { code: error.code, message: error.message }
}
