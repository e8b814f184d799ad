//! The place of one connection to SQLite, which its session uses and the database may take away.
//!
//! 1. A connection is used only under the cell's lock, on a thread that may block.
//! 2. A revoked cell never holds a connection again. Whoever revokes it interrupts what runs until
//!    the lock is free, so this takes as long as SQLite needs to notice.
//! 3. The write lane's permit lives in the cell while SQLite has a write transaction open: it goes
//!    when that ends, and a transaction that could not begin to write does not keep it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dqlite_vfs::{Connection, Interrupt, TransactionState};
use parking_lot::Mutex;

use crate::authorizer::Refusals;
use crate::call::CallState;
use crate::lane::Permit;
use crate::operation::Operations;

/// How long to wait for a running statement to notice an interrupt before the next one.
pub(crate) const INTERRUPT_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Cell {
    inner: Mutex<Inner>,
    interrupt: Interrupt,
    operations: Arc<Operations>,
    revoked: AtomicBool,
    lane_held: AtomicBool,
    /// Whose session it is; 0 where nobody may ask what became of its commits.
    client: Mutex<u128>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub connection: Option<Connection>,
    /// Held from before the first write of a transaction to its end.
    pub lane: Option<Permit>,
    pub refusals: Refusals,
    pub calls: CallState,
}

impl Cell {
    /// `operations` are those that the connection asks whether to stop.
    pub fn new(connection: Connection, refusals: Refusals, operations: Arc<Operations>) -> Self {
        let interrupt = connection.interrupt_handle();
        let calls = CallState::default();
        let inner = Inner { connection: Some(connection), lane: None, refusals, calls };
        let (revoked, lane_held) = (false.into(), false.into());
        let client = Mutex::new(0);
        Self { inner: Mutex::new(inner), interrupt, operations, revoked, lane_held, client }
    }

    /// What the session does, by number.
    pub fn operations(&self) -> &Arc<Operations> {
        &self.operations
    }

    /// Whose session it is; 0 for nobody's.
    pub fn client(&self) -> u128 {
        *self.client.lock()
    }

    /// Sets whose session it is.
    pub fn set_client(&self, client: u128) {
        *self.client.lock() = client;
    }

    /// Runs `call` on the connection; `None` when it is gone. Blocks. (1)
    pub fn with<T>(&self, call: impl FnOnce(&mut Inner) -> T) -> Option<T> {
        self.with_lane(None, call).0
    }

    /// The same with the write lane, if `permit` is given. Gives it back unless the connection has
    /// a write transaction open at the end: then the cell keeps it. (3)
    pub fn with_lane<T>(
        &self,
        permit: Option<Permit>,
        call: impl FnOnce(&mut Inner) -> T,
    ) -> (Option<T>, Option<Permit>) {
        let mut inner = self.inner.lock();
        if permit.is_some() {
            inner.lane = permit;
        }
        let result = (!self.is_revoked() && inner.connection.is_some()).then(|| call(&mut inner));
        if self.is_revoked() {
            inner.connection = None;
        }
        let writes = inner.connection.as_ref().is_some_and(is_writing);
        let permit = if writes { None } else { inner.lane.take() };
        self.lane_held.store(inner.lane.is_some(), Ordering::SeqCst);
        (result, permit)
    }

    /// True once the connection was taken away.
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    /// Stops the statement that runs now, if one does.
    pub fn interrupt(&self) {
        self.interrupt.interrupt();
    }

    /// True while the session's transaction holds the write lane.
    pub fn holds_lane(&self) -> bool {
        self.lane_held.load(Ordering::SeqCst)
    }

    /// Takes the connection away for good and closes it. Blocks. (2)
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
        let mut inner = loop {
            if let Some(inner) = self.inner.try_lock() {
                break inner;
            }
            self.interrupt();
            if let Some(inner) = self.inner.try_lock_for(INTERRUPT_EVERY) {
                break inner;
            }
        };
        inner.connection = None;
        inner.lane = None;
    }

    /// The session is gone: closes the connection, unless a statement runs. False then: that one is
    /// interrupted, and `with` closes on its way out. One that was about to run slips through, so
    /// call again until this is true. (2)
    pub fn abandon(&self) -> bool {
        self.revoked.store(true, Ordering::SeqCst);
        match self.inner.try_lock() {
            Some(mut inner) => {
                inner.connection = None;
                inner.lane = None;
                true
            }
            None => {
                self.interrupt();
                false
            }
        }
    }
}

fn is_writing(connection: &Connection) -> bool {
    connection.transaction_state().is_ok_and(|state| state == TransactionState::Write)
}
