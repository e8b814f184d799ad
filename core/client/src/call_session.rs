//! A session of a driver: whole statements in one exchange, with one node.
//!
//! 1. One call at a time. A call that is dropped midway leaves the session unfit: what comes next
//!    on the stream would be taken for the answer to something else.
//! 2. A call whose time is over asks the node to stop, and waits a little longer for the answer:
//!    if it comes, the outcome is known and the session goes on.
//! 3. Nothing is tried again here, and no leader is looked for.

use bytes::BytesMut;
use dqlite_env::Network;
use dqlite_wire::call::{
    AskOutcome, BatchLimits, Fetch, Fetched, OpenSession, Opened, Outcome, ParameterSet, Ran, Run,
    RunKind, Wait,
};
use dqlite_wire::{EncodeError, Request, Response, Text, Value};
use tokio::time::Instant;

use crate::canceller::{Calls, Canceller};
use crate::fault::Fault;
use crate::link::{Link, unexpected};

/// A session with one node, over the wire.
///
/// ```no_run
/// # async fn example() -> Result<(), dqlite_client::Fault> {
/// use dqlite_client::{CallSession, Env};
/// use dqlite_wire::call::{OpenSession, ParameterSet, Place, Run};
/// use dqlite_wire::Value;
/// use tokio::time::{Duration, Instant};
///
/// let open = OpenSession {
///     database: "shop".into(),
///     client: 0,
///     place: Place::Leader,
///     busy_timeout_ms: 5_000,
/// };
/// let deadline = Instant::now() + Duration::from_secs(10);
/// let network = Env::real().network;
/// let mut session = CallSession::open(&*network, "127.0.0.1:9001", &open, deadline).await?;
/// let run = Run {
///     sql: "SELECT name FROM item WHERE id = ?".into(),
///     parameters: vec![ParameterSet::Positional(vec![Value::Integer(1)])],
///     ..Run::default()
/// };
/// let ran = session.run(&run, deadline).await?;
/// println!("{} columns", ran.columns.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CallSession {
    pub(crate) link: Link,
    opened: Opened,
    pub(crate) database: Text,
    pub(crate) calls: Calls,
}

impl CallSession {
    /// Dials the node at `address` and opens a session there.
    ///
    /// # Errors
    /// The node cannot be reached or refuses. Nothing was executed.
    pub async fn open(
        network: &dyn Network,
        address: &str,
        open: &OpenSession,
        deadline: Instant,
    ) -> Result<Self, Fault> {
        let link = Link::connect(network, address, deadline).await?;
        Self::open_on(link, open, deadline).await
    }

    /// Opens a session over a link, the one to the leader say.
    ///
    /// # Errors
    /// The node refuses, or does not answer. Nothing was executed.
    pub async fn open_on(
        mut link: Link,
        open: &OpenSession,
        deadline: Instant,
    ) -> Result<Self, Fault> {
        let database = open.database.clone();
        match link.call(&Request::Session(open.clone()), deadline).await? {
            Response::Session(opened) => {
                Ok(Self { link, opened, database, calls: Calls::default() })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// What the node said when the session was opened.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// The node's address, as it was dialled.
    pub fn address(&self) -> &str {
        self.link.address()
    }

    /// Whether the session can take a call: no earlier one was left midway (1), and the node has
    /// not closed the stream.
    pub fn is_fit(&mut self) -> bool {
        self.link.is_fit()
    }

    /// A handle that stops the call that runs at that time.
    pub fn canceller(&self) -> Canceller {
        self.calls.canceller()
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// Those of any call: [`Fault`] says what may be concluded. Code 9 means that the statement was
    /// interrupted, by a [`Canceller`] or because the deadline passed; it had no effect, and the
    /// session goes on. So does its transaction, unless the statement was writing: SQLite takes the
    /// whole transaction back then, which the next [`Ran::in_transaction`] tells.
    pub async fn run(&mut self, run: &Run, deadline: Instant) -> Result<Ran, Fault> {
        check_parameters(run)?;
        match self.call(|out| run.encode(out), deadline).await? {
            Response::Ran(ran) => Ok(ran),
            other => Err(self.reject(&other)),
        }
    }

    /// Fetches more rows of a result, [`Ran::cursor`].
    ///
    /// # Errors
    /// Those of any call. After FAILURE the cursor is gone.
    pub async fn fetch(
        &mut self,
        cursor: u32,
        limits: BatchLimits,
        deadline: Instant,
    ) -> Result<Fetched, Fault> {
        match self.ask(&Request::Fetch(Fetch { cursor, limits }), deadline).await? {
            Response::Batch(fetched) => Ok(fetched),
            other => Err(self.reject(&other)),
        }
    }

    /// Ends a result before its last row.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn close_cursor(&mut self, cursor: u32, deadline: Instant) -> Result<(), Fault> {
        match self.ask(&Request::Close { cursor }, deadline).await? {
            Response::Empty => Ok(()),
            other => Err(self.reject(&other)),
        }
    }

    /// Waits until the node has applied the log up to `index`, and gives how far it is.
    ///
    /// # Errors
    /// Those of any call; code 9 if the deadline passed first.
    pub async fn wait(&mut self, index: u64, deadline: Instant) -> Result<u64, Fault> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let request = Request::Wait(Wait { index, timeout_ms });
        self.ask_for_index(&request, deadline).await
    }

    /// An index at or above everything that was acknowledged before: asked of the leader, which
    /// makes sure that it still leads.
    ///
    /// # Errors
    /// Those of any call: the node may not lead.
    pub async fn barrier(&mut self, deadline: Instant) -> Result<u64, Fault> {
        self.ask_for_index(&Request::Barrier, deadline).await
    }

    /// What became of a commit. The session of the client that may have made it ends.
    ///
    /// # Errors
    /// Those of any call: the node may not lead.
    pub async fn outcome(&mut self, ask: &AskOutcome, deadline: Instant) -> Result<Outcome, Fault> {
        self.link.outcome(ask, deadline).await
    }

    async fn ask_for_index(&mut self, request: &Request, deadline: Instant) -> Result<u64, Fault> {
        match self.ask(request, deadline).await? {
            Response::Index { index } => Ok(index),
            other => Err(self.reject(&other)),
        }
    }

    async fn ask(&mut self, request: &Request, deadline: Instant) -> Result<Response, Fault> {
        self.call(|out| request.encode(out), deadline).await
    }

    async fn call(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
        deadline: Instant,
    ) -> Result<Response, Fault> {
        let running = self.calls.begin();
        self.link.exchange(encode, running.cancelled(), deadline).await
    }

    /// An answer to something else: the stream is not used again.
    pub(crate) fn reject(&mut self, response: &Response) -> Fault {
        self.link.give_up();
        unexpected(response)
    }
}

/// # Errors
/// What would be stored otherwise than it was given, or is not what the call says.
fn check_parameters(run: &Run) -> Result<(), Fault> {
    let fits = match run.kind {
        RunKind::One => run.parameters.len() <= 1,
        RunKind::Many => true,
        RunKind::Script => run.parameters.is_empty(),
    };
    if !fits {
        let reason = format!("{} sets of parameters for {:?}", run.parameters.len(), run.kind);
        return Err(Fault::Unusable(reason));
    }
    let is_nan = |value: &Value| matches!(value, Value::Float(number) if number.is_nan());
    let has_nan = |set: &ParameterSet| match set {
        ParameterSet::Positional(values) => values.iter().any(is_nan),
        ParameterSet::Named(values) => values.iter().any(|(_, value)| is_nan(value)),
    };
    if run.parameters.iter().any(has_nan) {
        let reason = "NaN cannot be a parameter: SQLite would store NULL";
        return Err(Fault::Unusable(reason.to_owned()));
    }
    Ok(())
}
