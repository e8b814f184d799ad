//! Statements that were compiled before, by their text.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use dqlite_vfs::{Connection, StatementId};

use super::columns::Columns;
use crate::cell::Inner;
use crate::error::Error;
use crate::words;

/// How many statements a session keeps.
pub(crate) const STATEMENTS_MAX: usize = 128;

/// Longer texts are not kept, in bytes: nobody writes them twice.
const SQL_BYTES_MAX: usize = 64 << 10;

/// A compiled statement, and what is known of it.
#[derive(Debug)]
pub(crate) struct Compiled {
    sql: Box<str>,
    hash: u64,
    pub id: StatementId,
    /// It may be run again as it is.
    keeps: bool,
    /// It needs the lane.
    pub needs_lane: bool,
    /// It counts the rows that it changes.
    pub changes_rows: bool,
    /// It writes and belongs into a transaction.
    pub belongs_into_a_transaction: bool,
    /// It does no more than open a transaction.
    pub only_begins: bool,
    /// How many places for values it has.
    pub places: usize,
    /// The names of the places with their signs, once somebody asked.
    pub names: Option<Box<[Option<Box<str>>]>>,
    columns: Option<Arc<Columns>>,
    /// What the columns are of, as SQLite counts.
    recompiled_count: u32,
}

impl Compiled {
    /// What is to be known of the prepared statement `id`, the text of which is `sql`.
    pub fn new(
        connection: &mut Connection,
        id: StatementId,
        sql: &str,
        hash: u64,
    ) -> Result<Self, Error> {
        let statement = connection.statement(id).ok_or(Error::NoStatement)?;
        let writes = !statement.readonly() && !statement.is_explain();
        let word = words::first_word(sql);
        Ok(Self {
            sql: sql.into(),
            hash,
            id,
            // Some pragmas have their effect when they are compiled.
            keeps: sql.len() <= SQL_BYTES_MAX && !word.eq_ignore_ascii_case("PRAGMA"),
            needs_lane: writes,
            changes_rows: writes && words::changes_rows(word),
            belongs_into_a_transaction: writes && words::belongs_into_a_transaction(word),
            only_begins: words::only_begins(sql),
            places: statement.parameter_count(),
            names: None,
            columns: None,
            recompiled_count: 0,
        })
    }

    /// The columns as they are after a step.
    pub fn columns(&mut self, connection: &mut Connection) -> Option<Arc<Columns>> {
        let statement = connection.statement(self.id)?;
        let recompiled_count = statement.recompiled_count();
        if self.columns.is_none() || recompiled_count != self.recompiled_count {
            self.recompiled_count = recompiled_count;
            self.columns = (statement.column_count() > 0).then(|| Columns::of(statement));
        }
        self.columns.clone()
    }
}

/// Statements that nobody uses at the moment, the least recently used of which go first.
#[derive(Debug, Default)]
pub(crate) struct StatementCache {
    entries: Vec<(u64, Compiled)>,
    uses: u64,
}

impl StatementCache {
    /// Takes the statement with this text out.
    fn take(&mut self, sql: &str, hash: u64) -> Option<Compiled> {
        let found = self.entries.iter().position(|(_, it)| it.hash == hash && *it.sql == *sql)?;
        Some(self.entries.swap_remove(found).1)
    }

    /// Puts a statement in, and gives the one that goes for it.
    fn put(&mut self, compiled: Compiled) -> Option<Compiled> {
        let is_known = |it: &Compiled| it.hash == compiled.hash && it.sql == compiled.sql;
        if !compiled.keeps || self.entries.iter().any(|(_, it)| is_known(it)) {
            return Some(compiled);
        }
        self.uses += 1;
        self.entries.push((self.uses, compiled));
        if self.entries.len() <= STATEMENTS_MAX {
            return None;
        }
        let oldest = self.entries.iter().enumerate().min_by_key(|(_, (used, _))| *used)?.0;
        Some(self.entries.swap_remove(oldest).1)
    }
}

/// The statement that `sql` holds, from the cache or compiled.
///
/// # Errors
/// [`Error::EmptyStatement`], [`Error::StatementTail`], SQLite's.
pub(super) fn compile(inner: &mut Inner, sql: &str) -> Result<Compiled, Error> {
    let mut hasher = DefaultHasher::new();
    hasher.write(sql.as_bytes());
    let hash = hasher.finish();
    if let Some(compiled) = inner.calls.cache.take(sql, hash) {
        return Ok(compiled);
    }
    let prepared = crate::session::prepare_only(inner, sql)?;
    let connection = inner.connection.as_mut().ok_or(Error::SessionEnded)?;
    Compiled::new(connection, prepared.id, sql, hash)
}

/// Makes a statement ready for its next use.
pub(super) fn put_back(inner: &mut Inner, compiled: Compiled) {
    let Some(connection) = inner.connection.as_mut() else { return };
    if let Some(statement) = connection.statement(compiled.id) {
        statement.reset();
        if compiled.places > 0 {
            statement.clear_bindings();
        }
    }
    if let Some(gone) = inner.calls.cache.put(compiled) {
        connection.finalize(gone.id);
    }
}
