//! The sessions of one client: a bounded number of them, those that are idle kept for the next.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::attempts::Attempts;
use crate::error::{Error, ErrorKind};
use crate::fault::Effect;
use crate::leader::LeaderSearch;
use crate::options::ClientOptions;
use crate::session::Session;

#[derive(Debug)]
pub(crate) struct Pool {
    search: LeaderSearch,
    database: String,
    options: ClientOptions,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    pub fn new(search: LeaderSearch, database: String, options: ClientOptions) -> Self {
        let permits = Arc::new(Semaphore::new(options.pool_size_max.max(1)));
        Self { search, database, options, idle: Mutex::default(), permits }
    }

    pub fn search(&self) -> &LeaderSearch {
        &self.search
    }

    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// A session that is fit: one that was used before, or a new one with the leader.
    ///
    /// # Errors
    /// No session came free or no leader was found in time, or the database's name is refused.
    pub async fn take(self: &Arc<Self>, deadline: Instant) -> Result<Pooled, Error> {
        let Ok(permit) = timeout_at(deadline, self.permits.clone().acquire_owned()).await else {
            let reason = format!("all {} sessions were in use", self.options.pool_size_max);
            return Err(Error::new(ErrorKind::Timeout, reason));
        };
        let permit = permit.map_err(|_| Error::new(ErrorKind::Closed, "the client was closed"))?;
        let session = match self.take_idle() {
            Some(session) => session,
            None => self.open(deadline).await?,
        };
        Ok(Pooled { session: Some(session), pool: self.clone(), permit: Some(permit) })
    }

    fn take_idle(&self) -> Option<Session> {
        loop {
            let mut session = self.idle.lock().pop()?;
            if session.is_clean() {
                return Some(session);
            }
        }
    }

    async fn open(&self, deadline: Instant) -> Result<Session, Error> {
        let mut attempts = Attempts::new(self, deadline - Instant::now());
        loop {
            let found = self.search.find(deadline).await?;
            let address = found.leader.address;
            match Session::open(found.link, &self.database, deadline).await {
                Ok(session) => return Ok(session),
                Err(fault) if fault.is_busy() => {
                    attempts.anyway(fault.with(Effect::Nothing).into()).await?;
                }
                Err(fault) => attempts.again(&address, fault.with(Effect::Nothing)).await?,
            }
        }
    }

    /// The node at `address` does not lead: sessions there are of no use.
    pub fn forget(&self, address: &str) {
        self.search.forget(address);
        self.idle.lock().retain(|session| session.address() != address);
    }

    fn put(&self, session: Session) {
        self.idle.lock().push(session);
    }
}

/// A session that is out of the pool. Dropped, it goes back: at once if it is clean, after a
/// cleaning in the background if it can be cleaned; else it is closed.
#[derive(Debug)]
pub(crate) struct Pooled {
    session: Option<Session>,
    pool: Arc<Pool>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pooled {
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// # Errors
    /// It was given back before.
    pub fn session(&mut self) -> Result<&mut Session, Error> {
        self.session.as_mut().ok_or_else(|| Error::new(ErrorKind::Closed, "the session is closed"))
    }

    pub fn deadline(&self) -> Instant {
        Instant::now() + self.pool.options.timeout
    }

    /// Gives the session back early.
    pub fn give_back(&mut self) {
        let (Some(mut session), Some(permit)) = (self.session.take(), self.permit.take()) else {
            return;
        };
        if session.is_clean() {
            self.pool.put(session);
        } else if session.can_be_cleaned()
            && let Ok(runtime) = Handle::try_current()
        {
            let pool = self.pool.clone();
            runtime.spawn(async move {
                let deadline = Instant::now() + pool.options.connect_timeout;
                if session.clean(deadline).await.is_ok() {
                    pool.put(session);
                }
                drop(permit);
            });
        }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.give_back();
    }
}
