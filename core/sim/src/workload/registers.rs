//! Clients that read and write registers, and add to the list of entries.

use dqlite_client::{Client, Error, TransactionMode};
use rand::Rng;
use tokio::task::JoinSet;

use super::Actor;
use super::schema::{HOT_REGISTERS, LARGE_PART_BYTES, LARGE_PARTS, LARGE_REGISTER, REGISTERS};
use crate::history::{Access, Listing, Operation, Outcome, Table};
use crate::scenario::traced;

/// How many entries a listing may go back.
const LISTING_REACH: u64 = 30;
/// How many writes one client may have under way.
const WRITES_AT_ONCE: usize = 8;

/// Reads and writes until told to stop.
pub async fn work(actor: &mut Actor) {
    while actor.next(50).await {
        let range = if actor.random.random_bool(0.5) { HOT_REGISTERS } else { REGISTERS };
        let register = actor.random.random_range(1..=range);
        match actor.random.random_range(0..100) {
            0..24 => write(actor, register).await,
            24..32 => write_many(actor).await,
            32..58 => read(actor, register).await,
            58..70 => write_two(actor, register).await,
            70..80 => add(actor).await,
            80..92 => list(actor).await,
            92..94 => write_large(actor).await,
            _ => read_large(actor).await,
        }
    }
}

/// Notes a write of `entry`, which is also the value, to `register`.
fn written(actor: &Actor, register: u64, entry: u64, outcome: Outcome) {
    let history = &mut *actor.work.history.lock();
    let Some(&times) = history.entries.get(&entry) else { return };
    history.operations.push(Operation {
        register,
        begun: times.begun,
        ended: times.ended,
        access: Access::Write { value: entry, outcome },
    });
}

async fn write(actor: &mut Actor, register: u64) {
    let entry = actor.work.history.lock().begin(Table::None);
    let result = put(actor.client.clone(), register, entry).await;
    finish_write(actor, register, entry, result);
}

/// Many registers at once, each by a transaction of its own: so much at least waits for the log.
async fn write_many(actor: &mut Actor) {
    let mut writes = JoinSet::new();
    for _ in 0..WRITES_AT_ONCE {
        let register = actor.random.random_range(1..=REGISTERS);
        let entry = actor.work.history.lock().begin(Table::None);
        let client = actor.client.clone();
        writes.spawn(async move { (register, entry, put(client, register, entry).await) });
    }
    while let Some(Ok((register, entry, result))) = writes.join_next().await {
        finish_write(actor, register, entry, result);
    }
}

async fn put(client: Client, register: u64, entry: u64) -> Result<(), Error> {
    let sql = "UPDATE register SET value = ? WHERE id = ?";
    client.execute(sql, (entry as i64, register as i64)).await.map(|_| ())
}

fn finish_write(actor: &Actor, register: u64, entry: u64, result: Result<(), Error>) {
    let result = result.map_err(|error| actor.told(&error));
    let outcome = actor.end(entry, &format!("write {register}"), result);
    written(actor, register, entry, outcome);
}

/// Two registers and an entry in one transaction, which is rolled back now and then.
async fn write_two(actor: &mut Actor, register: u64) {
    let entry = actor.work.history.lock().begin(Table::Entry);
    let other = register % REGISTERS + 1;
    let commits = actor.random.random_bool(0.8);
    let mode = mode(actor);
    let body = body(actor);
    let result = actor
        .transaction(mode, async |connection| {
            let update = "UPDATE register SET value = ? WHERE id = ?";
            connection.execute(update, (entry as i64, register as i64)).await?;
            let insert = "INSERT INTO entry VALUES (?, ?)";
            connection.execute(insert, (entry as i64, body)).await?;
            connection.execute(update, (entry as i64, other as i64)).await?;
            Ok(commits)
        })
        .await;
    let outcome = actor.end(entry, &format!("write {register} and {other}"), result);
    written(actor, register, entry, outcome);
    written(actor, other, entry, outcome);
}

/// All parts of the large register, in one transaction.
async fn write_large(actor: &mut Actor) {
    let entry = actor.work.history.lock().begin(Table::None);
    let body = vec![entry as u8; LARGE_PART_BYTES];
    let sql = "UPDATE part SET value = ?, body = ?";
    let result = actor.client.execute(sql, (entry as i64, body)).await;
    let result = result.map(|_| ()).map_err(|error| actor.told(&error));
    let outcome = actor.end(entry, "write large", result);
    written(actor, LARGE_REGISTER, entry, outcome);
}

async fn add(actor: &mut Actor) {
    let entry = actor.work.history.lock().begin(Table::Entry);
    let body = body(actor);
    let sql = "INSERT INTO entry VALUES (?, ?)";
    let result = actor.client.execute(sql, (entry as i64, body)).await;
    let result = result.map(|_| ()).map_err(|error| actor.told(&error));
    actor.end(entry, "add", result);
}

async fn read(actor: &mut Actor, register: u64) {
    let begun = actor.work.history.lock().tick();
    let sql = "SELECT value FROM register WHERE id = ?";
    match numbers(actor, sql, register).await {
        Ok(values) => match values[..] {
            [value] => seen(actor, register, begun, value),
            _ => actor.violate(format!("register {register} has {} rows", values.len())),
        },
        Err(error) => {
            actor.told(&error);
        }
    }
}

async fn read_large(actor: &mut Actor) {
    let begun = actor.work.history.lock().tick();
    let sql = "SELECT value FROM part WHERE id > ? AND hex(substr(body, -1)) = \
               printf('%02X', value & 255) ORDER BY id";
    match numbers(actor, sql, 0).await {
        Ok(values) => {
            let one = values.first().copied().unwrap_or(0);
            if values.len() as u64 == LARGE_PARTS && values.iter().all(|value| *value == one) {
                seen(actor, LARGE_REGISTER, begun, one);
            } else {
                actor.violate(format!("a large write is there in part: {values:?}"));
            }
        }
        Err(error) => {
            actor.told(&error);
        }
    }
}

fn seen(actor: &Actor, register: u64, begun: u64, value: u64) {
    let history = &mut *actor.work.history.lock();
    let ended = history.tick();
    traced!(actor.work.trace, "{}: read {register}: {value}", actor.name);
    history.operations.push(Operation { register, begun, ended, access: Access::Read { value } });
}

async fn list(actor: &mut Actor) {
    let (begun, from) = {
        let mut history = actor.work.history.lock();
        (history.tick(), history.newest().saturating_sub(LISTING_REACH))
    };
    match numbers(actor, "SELECT number FROM entry WHERE number >= ?", from).await {
        Ok(entries) => {
            let history = &mut *actor.work.history.lock();
            let ended = history.tick();
            history.listings.push(Listing { begun, ended, from, entries });
        }
        Err(error) => {
            actor.told(&error);
        }
    }
}

/// The numbers that a query with one parameter gives.
async fn numbers(actor: &Actor, sql: &str, parameter: u64) -> Result<Vec<u64>, Error> {
    let rows = actor.client.query_all(sql, (parameter as i64,)).await?;
    rows.iter().map(|row| row.get::<i64>(0).map(|number| number as u64)).collect()
}

fn mode(actor: &mut Actor) -> TransactionMode {
    if actor.random.random_bool(0.5) {
        TransactionMode::Immediate
    } else {
        TransactionMode::Deferred
    }
}

/// A text of up to three pages.
fn body(actor: &mut Actor) -> String {
    "x".repeat(actor.random.random_range(1..12_000))
}
