//! The database that is worked on.

use dqlite_client::{Client, Error};

/// Its name.
pub const DATABASE: &str = "sim";
/// Registers, numbered from 1. Each has a page of its own.
pub const REGISTERS: u64 = 240;
/// The first of them are used as often as all others together: they show what happens at the same
/// time, the others keep what was done to them long ago.
pub const HOT_REGISTERS: u64 = 4;
/// The register that is written by large transactions.
pub const LARGE_REGISTER: u64 = 1000;
/// The rows that make it up.
pub const LARGE_PARTS: u64 = 24;
/// The bytes of each: all of them are more than one entry of the log may hold.
pub const LARGE_PART_BYTES: usize = 48 << 10;
/// Accounts, numbered from 1.
pub const ACCOUNTS: u64 = 6;
/// What each holds at the start.
pub const BALANCE: i64 = 1000;

/// Creates all tables. May be called again where it is not known whether it worked.
///
/// # Errors
/// As the client has them.
pub async fn create(client: &Client) -> Result<(), Error> {
    let tables = [
        "CREATE TABLE IF NOT EXISTS register (id INTEGER PRIMARY KEY, value INTEGER, padding TEXT)",
        "CREATE TABLE IF NOT EXISTS entry (number INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX IF NOT EXISTS entry_number ON entry (number)",
        "CREATE TABLE IF NOT EXISTS part (id INTEGER PRIMARY KEY, value INTEGER, body BLOB)",
        "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS transfer (number INTEGER NOT NULL, source INTEGER NOT NULL, \
         target INTEGER NOT NULL, amount INTEGER NOT NULL)",
    ];
    for table in tables {
        client.execute(table, ()).await?;
    }
    let fill = |table: &str, values: &str| {
        format!(
            "INSERT OR IGNORE INTO {table} WITH RECURSIVE n (id) AS \
             (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1) SELECT {values} FROM n"
        )
    };
    client.execute(&fill("register", "id, 0, printf('%3000s', id)"), (REGISTERS as i64,)).await?;
    client.execute(&fill("account", "id, ?2"), (ACCOUNTS as i64, BALANCE)).await?;
    let body = vec![0_u8; LARGE_PART_BYTES];
    client.execute(&fill("part", "id, 0, ?2"), (LARGE_PARTS as i64, body)).await?;
    Ok(())
}
