//! What clients do while things break, and what they are told.
//!
//! Three workloads at once, on one database:
//!
//! - *Registers*: each is overwritten by unique values, alone, two in one transaction, and one as a
//!   transaction too large for one entry of the log; and read. Each write also may add an entry to
//!   a list, which is read in part.
//! - *Transfers* move money between accounts, in transactions of several statements. Every read
//!   checks that none is made or lost, and that the accounts agree with the list of transfers.
//! - *Askers* write as the others do, lose patience, and ask what became of it: what was unknown is
//!   acknowledged or failed then, for good.

mod askers;
mod registers;
mod schema;
mod transfers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dqlite_client::{Client, ClientOptions, Connection, Error, Outcome as Told, TransactionMode};
use dqlite_env::Env;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::history::{History, Outcome};
use crate::scenario::{Cluster, NODES, Plan, Trace, traced};

pub use schema::{DATABASE, LARGE_REGISTER, create};

/// Clients that read and write registers.
const REGISTER_CLIENTS: u64 = 4;
/// Clients that move money.
const TRANSFER_CLIENTS: u64 = 3;

/// Clients that ask what became of their writes.
const ASKING_CLIENTS: u64 = 3;

/// What all clients share. Clones are the same.
#[derive(Clone, Debug)]
pub struct Workload {
    env: Env,
    seed: u64,
    history: Arc<Mutex<History>>,
    cluster: Cluster,
    trace: Trace,
    stopped: Arc<AtomicBool>,
}

/// One client: a pool of its own, and its own choices.
#[derive(Debug)]
struct Actor {
    name: String,
    client: Client,
    random: SmallRng,
    work: Workload,
}

impl Workload {
    /// A workload whose clients have `env`.
    pub fn new(env: Env, plan: &Plan, cluster: Cluster, trace: Trace) -> Self {
        let (history, stopped) = (Arc::default(), Arc::default());
        Self { env, seed: plan.seed, history, cluster, trace, stopped }
    }

    /// What the clients did, so far.
    pub fn history(&self) -> &Mutex<History> {
        &self.history
    }

    /// A client of the cluster.
    pub fn client(&self) -> Client {
        let options = ClientOptions {
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_millis(400),
            ..ClientOptions::default()
        };
        Client::with_options(self.env.clone(), NODES.map(Plan::address), DATABASE, options)
    }

    /// Starts all clients.
    pub fn start(&self) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for number in 0..REGISTER_CLIENTS {
            let mut actor = self.actor(format!("register client {number}"), number);
            clients.spawn(async move { registers::work(&mut actor).await });
        }
        for number in 0..TRANSFER_CLIENTS {
            let mut actor = self.actor(format!("transfer client {number}"), 100 + number);
            clients.spawn(async move { transfers::work(&mut actor).await });
        }
        for number in 0..ASKING_CLIENTS {
            let mut actor = self.actor(format!("asking client {number}"), 200 + number);
            clients.spawn(async move { askers::work(&mut actor).await });
        }
        clients
    }

    /// What an error's outcome means for an entry.
    pub fn outcome(told: Told) -> Outcome {
        match told {
            Told::NotApplied => Outcome::Failed,
            Told::Unknown => Outcome::Unknown,
        }
    }

    /// Tells the clients to come to an end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// True once the clients are to come to an end: nothing is broken then.
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn actor(&self, name: String, number: u64) -> Actor {
        let random = SmallRng::seed_from_u64(self.seed.rotate_left(17) ^ number);
        Actor { name, client: self.client(), random, work: self.clone() }
    }
}

impl Actor {
    /// Waits for the next thing to do. False when there is none.
    async fn next(&mut self, pause_ms_max: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(1..pause_ms_max))).await;
        !self.work.is_stopped()
    }

    fn violate(&self, reason: String) {
        self.work.cluster.violate(format!("{}: {reason}", self.name));
    }

    /// Notes what became of an entry.
    fn end(&self, entry: u64, what: &str, result: Result<(), Told>) -> Outcome {
        let outcome = result.map_or_else(Workload::outcome, |()| Outcome::Acknowledged);
        self.work.history.lock().end(entry, outcome);
        traced!(self.work.trace, "{}: {what} {entry}: {outcome:?}", self.name);
        outcome
    }

    /// What an error says of its call's effect. One that says less than it might is noted.
    fn told(&self, error: &Error) -> Told {
        traced!(self.work.trace, "{}: {:?} {error}", self.name, error.kind);
        error.outcome
    }

    /// Runs `body` in a transaction and commits it, if it says so.
    async fn transaction<F>(&mut self, mode: TransactionMode, body: F) -> Result<(), Told>
    where
        F: AsyncFnOnce(&mut Connection) -> Result<bool, Error>,
    {
        let mut connection = match self.client.connection().await {
            Ok(connection) => connection,
            Err(error) => {
                self.told(&error);
                return Err(Told::NotApplied);
            }
        };
        let commits = async {
            connection.begin(mode).await?;
            body(&mut connection).await
        };
        match commits.await {
            Ok(true) => connection.commit().await.map_err(|error| self.told(&error)),
            Ok(false) => {
                // Whether or not it is heard: what is not committed has no effect.
                let rolled_back = connection.rollback().await;
                rolled_back.as_ref().err().map(|error| self.told(error));
                Err(Told::NotApplied)
            }
            Err(error) => {
                // Nothing was to be committed yet, whatever became of the statement.
                self.told(&error);
                Err(Told::NotApplied)
            }
        }
    }
}
