//! Clients that move money between accounts.

use dqlite_client::TransactionMode;
use rand::Rng;

use super::Actor;
use super::schema::{ACCOUNTS, BALANCE};
use crate::history::Table;

/// What must be true in every snapshot: the total, and the number of accounts whose balance is not
/// what the transfers make it.
const AUDIT: &str = "SELECT (SELECT sum(balance) FROM account), (SELECT count(*) FROM account a \
    WHERE balance <> ?1 \
    + (SELECT coalesce(sum(amount), 0) FROM transfer WHERE target = a.id) \
    - (SELECT coalesce(sum(amount), 0) FROM transfer WHERE source = a.id))";

/// Moves money until told to stop.
pub async fn work(actor: &mut Actor) {
    while actor.next(60).await {
        if actor.random.random_bool(0.7) { transfer(actor).await } else { audit(actor).await }
    }
}

async fn transfer(actor: &mut Actor) {
    let entry = actor.work.history.lock().begin(Table::Transfer);
    let source = actor.random.random_range(1..=ACCOUNTS) as i64;
    let target = source % ACCOUNTS as i64 + 1;
    let amount = actor.random.random_range(1..100_i64);
    let commits = actor.random.random_bool(0.9);
    let reads_first = actor.random.random_bool(0.5);
    let result = actor
        .transaction(TransactionMode::Immediate, async |connection| {
            // Half of them compute the new balance here, as an application does.
            if reads_first {
                let sql = "SELECT balance FROM account WHERE id = ?";
                let rows = connection.query_all(sql, (source,)).await?;
                let balance: i64 = match rows.first() {
                    Some(row) => row.get(0)?,
                    None => return Ok(false),
                };
                let sql = "UPDATE account SET balance = ? WHERE id = ?";
                connection.execute(sql, (balance - amount, source)).await?;
            } else {
                let sql = "UPDATE account SET balance = balance - ? WHERE id = ?";
                connection.execute(sql, (amount, source)).await?;
            }
            let sql = "INSERT INTO transfer VALUES (?, ?, ?, ?)";
            connection.execute(sql, (entry as i64, source, target, amount)).await?;
            let sql = "UPDATE account SET balance = balance + ? WHERE id = ?";
            connection.execute(sql, (amount, target)).await?;
            Ok(commits)
        })
        .await;
    actor.end(entry, "transfer", result);
}

async fn audit(actor: &mut Actor) {
    match actor.client.query_all(AUDIT, (BALANCE,)).await {
        Ok(rows) => {
            let found = rows.first().map(|row| (row.get::<i64>(0), row.get::<i64>(1)));
            if found != Some((Ok(BALANCE * ACCOUNTS as i64), Ok(0))) {
                actor.violate(format!("an audit finds {found:?}"));
            }
        }
        Err(error) => {
            actor.told(&error);
        }
    }
}
