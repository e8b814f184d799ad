//! Clients that lose patience with a write, and ask what became of it.
//!
//! 1. A question is answered: not at once while nobody leads, but soon after all is mended.
//! 2. What was acknowledged is told to be applied, what failed is told to be not applied; nothing
//!    is forgotten, as there are few clients.
//! 3. The answer is the same each time, whoever leads. That it is true is judged with all other
//!    writes: it is the entry's outcome.
//! 4. A call that is given up is given up in earnest: its stream stays open until the answer is
//!    there, so the node may still be reading the request while it is asked about it.

use std::time::Duration;

use dqlite_client::{CallSession, Fault, LeaderSearch};
use dqlite_wire::Value;
use dqlite_wire::call::{AskOutcome, OpenSession, Outcome as Told, ParameterSet, Place, Run};
use rand::Rng;
use tokio::time::{Instant, sleep, timeout};

use super::schema::REGISTERS;
use super::{Actor, DATABASE};
use crate::history::{Access, Operation, Outcome, Table};
use crate::scenario::{NODES, Plan, traced};

/// Longer than any call takes that is answered.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a question may go unanswered once all is mended. (1)
const ANSWER: Duration = Duration::from_secs(8);

struct Asker<'a> {
    actor: &'a mut Actor,
    search: LeaderSearch,
    client: u128,
    mark: u64,
    session: Option<CallSession>,
}

/// What a client knows of a write when its call is over.
enum Known {
    Committed(u64),
    Failed,
    InDoubt,
}

/// Writes and asks until told to stop.
pub async fn work(actor: &mut Actor) {
    let addresses = NODES.map(Plan::address).to_vec();
    let env = actor.work.env.clone();
    let search = LeaderSearch::new(env, addresses, Duration::from_millis(400));
    let client = actor.random.random();
    let mut asker = Asker { actor, search, client, mark: 0, session: None };
    while asker.actor.next(40).await {
        asker.write().await;
    }
}

impl Asker<'_> {
    async fn write(&mut self) {
        let register = self.actor.random.random_range(1..=REGISTERS);
        let in_transaction = self.actor.random.random_bool(0.4);
        let table = if in_transaction { Table::Entry } else { Table::None };
        let Some(mut session) = self.session().await else { return };
        let since = session.opened().index;
        let entry = self.actor.work.history.lock().begin(table);
        let patience = if self.actor.random.random_bool(0.3) {
            Duration::from_millis(self.actor.random.random_range(1..150))
        } else {
            PATIENCE
        };
        let calls = async {
            if in_transaction {
                self.transaction(&mut session, entry, register).await
            } else {
                self.run(&mut session, &put(entry, register)).await
            }
        };
        let known = match timeout(patience, calls).await {
            Ok(Ok(index)) => Known::Committed(index),
            Ok(Err(fault)) if !fault.is_in_doubt() => Known::Failed,
            // A transaction whose COMMIT was not sent is in doubt for a client that did not look.
            Ok(Err(_)) | Err(_) => Known::InDoubt,
        };
        let asks = match known {
            Known::InDoubt => true,
            Known::Committed(_) => self.actor.random.random_bool(0.05),
            Known::Failed => self.actor.random.random_bool(0.5),
        };
        let outcome = if asks {
            self.find_out(&known, since, entry).await
        } else {
            match known {
                Known::Committed(_) => Outcome::Acknowledged,
                Known::Failed | Known::InDoubt => Outcome::Failed,
            }
        };
        if matches!(known, Known::Committed(_)) && !asks {
            self.session = Some(session);
        }
        self.note(entry, register, outcome);
    }

    fn note(&self, entry: u64, register: u64, outcome: Outcome) {
        let history = &mut *self.actor.work.history.lock();
        history.end(entry, outcome);
        traced!(self.actor.work.trace, "{}: write {entry}: {outcome:?}", self.actor.name);
        let Some(&times) = history.entries.get(&entry) else { return };
        history.operations.push(Operation {
            register,
            begun: times.begun,
            ended: times.ended,
            access: Access::Write { value: entry, outcome },
        });
    }

    /// The session that is open, or a new one with the leader.
    async fn session(&mut self) -> Option<CallSession> {
        if let Some(session) = self.session.take() {
            return Some(session);
        }
        let deadline = Instant::now() + PATIENCE;
        let found = self.search.find(deadline).await.ok()?;
        let open = OpenSession {
            database: DATABASE.into(),
            client: self.client,
            place: Place::Leader,
            busy_timeout_ms: 1000,
        };
        CallSession::open_on(found.link, &open, deadline).await.ok()
    }

    async fn transaction(
        &mut self,
        session: &mut CallSession,
        entry: u64,
        register: u64,
    ) -> Result<u64, Fault> {
        self.run(session, &text("BEGIN IMMEDIATE")).await?;
        self.run(session, &put(entry, register)).await?;
        let body = "x".repeat(self.actor.random.random_range(1..12_000));
        let values = vec![Value::Integer(entry as i64), Value::Text(body.into())];
        let insert = "INSERT INTO entry VALUES (?, ?)";
        let parameters = vec![ParameterSet::Positional(values)];
        self.run(session, &Run { parameters, ..text(insert) }).await?;
        self.run(session, &text("COMMIT")).await
    }

    /// Runs a call under the next mark.
    async fn run(&mut self, session: &mut CallSession, run: &Run) -> Result<u64, Fault> {
        self.mark += 1;
        let run = Run { mark: self.mark, ..run.clone() };
        Ok(session.run(&run, Instant::now() + PATIENCE * 2).await?.index)
    }

    /// Asks what became of the last call, and checks the answer against what is known. (2)
    async fn find_out(&mut self, known: &Known, since: u64, entry: u64) -> Outcome {
        let ask =
            AskOutcome { database: DATABASE.into(), client: self.client, mark: self.mark, since };
        let Some(told) = self.ask(&ask).await else {
            self.actor.violate(format!("nobody tells what became of {entry}")); // (1)
            return Outcome::Unknown;
        };
        let fits = match (known, told) {
            (Known::Committed(reached), Told::Applied(index)) => since < index && index <= *reached,
            (Known::Failed, Told::NotApplied) | (Known::InDoubt, Told::NotApplied) => true,
            (Known::InDoubt, Told::Applied(index)) => since < index,
            _ => false,
        };
        if !fits {
            self.actor.violate(format!("of {entry} it is told: {told:?}"));
        }
        if self.actor.random.random_bool(0.3) {
            let pause = Duration::from_millis(self.actor.random.random_range(0..300));
            sleep(pause).await;
            let again = self.ask(&ask).await;
            if again.is_some_and(|again| again != told) {
                let reason = format!("of {entry} it is told: {told:?}, and then: {again:?}");
                self.actor.violate(reason); // (3)
            }
        }
        let history = &mut *self.actor.work.history.lock();
        match told {
            Told::Applied(_) => {
                history.told.0 += 1;
                Outcome::Acknowledged
            }
            Told::NotApplied => {
                history.told.1 += 1;
                Outcome::Failed
            }
            Told::Forgotten => Outcome::Unknown,
        }
    }

    /// Asks until there is an answer: whichever node, or the leader. One that was the leader may
    /// think that it still is. (1)
    async fn ask(&mut self, ask: &AskOutcome) -> Option<Told> {
        let mut mended = None;
        loop {
            let soon = Instant::now() + PATIENCE;
            let link = if self.actor.random.random_bool(0.5) {
                let host = NODES[self.actor.random.random_range(0..NODES.len())];
                self.search.dial(&Plan::address(host), soon).await
            } else {
                self.search.find(soon).await.map(|found| found.link)
            };
            if let Ok(mut link) = link {
                match link.outcome(ask, soon).await {
                    Ok(told) => return Some(told),
                    Err(fault) => {
                        traced!(self.actor.work.trace, "{}: {fault}", self.actor.name);
                        self.search.forget(link.address());
                    }
                }
            }
            if self.actor.work.is_stopped() {
                let mended = *mended.get_or_insert_with(Instant::now);
                if mended.elapsed() > ANSWER {
                    return None;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn text(sql: &str) -> Run {
    Run { sql: sql.into(), ..Run::default() }
}

fn put(entry: u64, register: u64) -> Run {
    let values = [entry, register].map(|number| Value::Integer(number as i64)).to_vec();
    let parameters = vec![ParameterSet::Positional(values)];
    Run { parameters, ..text("UPDATE register SET value = ? WHERE id = ?") }
}
