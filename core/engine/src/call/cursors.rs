//! Results that are being read, several side by side.
//!
//! An open result of SQLite's holds the connection to one state of the database: whatever else the
//! session reads meanwhile, it reads there. So before a call that would so miss what others have
//! committed, the open results are read to their end into memory.

use dqlite_vfs::{Connection, SqliteError, WalPosition};

use super::cache::{Compiled, put_back};
use super::kept::Kept;
use super::sink::{BatchSink, pump};
use crate::cell::Inner;
use crate::error::Error;

/// How much the results of a session may take in memory, in bytes.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// A result that is being read.
#[derive(Debug)]
struct Open {
    number: u32,
    /// The newest operation that read from it.
    operation: u64,
    /// The next rows, where they were read ahead.
    kept: Kept,
    /// Where the rows behind those come from.
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// SQLite, which shows the database as it was when its WAL ended at `state`.
    Running { compiled: Compiled, state: WalPosition },
    /// There are none.
    None,
    /// Reading them failed.
    Failed(Error),
}

/// The open results of one session.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: Vec<Open>,
    newest: u32,
}

impl Cursors {
    /// Keeps a running statement as a result to be read, and gives its number.
    pub fn add(&mut self, compiled: Compiled, state: WalPosition, operation: u64) -> u32 {
        loop {
            self.newest = self.newest.wrapping_add(1);
            if self.open.iter().all(|open| open.number != self.newest) {
                break;
            }
        }
        let (number, rest) = (self.newest, Rest::Running { compiled, state });
        self.open.push(Open { number, operation, kept: Kept::default(), rest });
        number
    }

    /// True where no result is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn take(&mut self, number: u32) -> Result<Open, Error> {
        let found = self.open.iter().position(|open| open.number == number);
        found.map(|at| self.open.swap_remove(at)).ok_or(Error::NoCursor)
    }

    /// The session's own commit moved the WAL's end on: results that showed what was before it
    /// miss nothing of anybody else's.
    pub fn own_commit(&mut self, before: WalPosition, after: WalPosition) {
        for open in &mut self.open {
            if let Rest::Running { state, .. } = &mut open.rest
                && *state == before
            {
                *state = after;
            }
        }
    }
}

/// Gives more rows of a result to `sink`. True when more may follow; the result is closed
/// otherwise, and after an error.
pub(crate) fn fetch<S: BatchSink>(
    inner: &mut Inner,
    number: u32,
    operation: u64,
    sink: &mut S,
) -> Result<bool, Error> {
    let mut open = inner.calls.cursors.take(number)?;
    let more = if open.kept.is_empty() {
        match &mut open.rest {
            Rest::Running { compiled, .. } => {
                let connection = inner.connection.as_mut().ok_or(Error::SessionEnded)?;
                let statement = connection.statement(compiled.id).ok_or(Error::NoCursor)?;
                pump(statement, sink, true)
            }
            Rest::None => {
                open.kept.give(sink);
                Ok(false)
            }
            Rest::Failed(error) => Err(error.clone()),
        }
    } else {
        open.kept.give(sink);
        Ok(!open.kept.is_empty() || !matches!(open.rest, Rest::None))
    };
    if matches!(more, Ok(true)) {
        open.operation = operation;
        inner.calls.cursors.open.push(open);
    } else {
        close_rest(inner, open.rest);
    }
    more
}

/// Closes a result before its last row.
pub(crate) fn close(inner: &mut Inner, number: u32) -> Result<(), Error> {
    let open = inner.calls.cursors.take(number)?;
    close_rest(inner, open.rest);
    Ok(())
}

/// Closes the results that `operation` was reading when it was given up: nobody has their numbers,
/// or knows how far they were read.
pub(crate) fn close_of(inner: &mut Inner, operation: u64) {
    loop {
        let open = &mut inner.calls.cursors.open;
        let found = open.iter().position(|open| open.operation == operation);
        let Some(at) = found else { return };
        let rest = open.swap_remove(at).rest;
        close_rest(inner, rest);
    }
}

fn close_rest(inner: &mut Inner, rest: Rest) {
    if let Rest::Running { compiled, .. } = rest {
        put_back(inner, compiled);
    }
}

/// Takes results off the connection that would hide from it what others have committed. To be
/// called outside of a transaction, which has one state of the database by intention.
///
/// # Errors
/// `SQLITE_BUSY_SNAPSHOT` when a result is too large for memory: it is still being read.
/// [`Error::Interrupted`] when reading one was interrupted: the result ends with that error.
pub(crate) fn catch_up(inner: &mut Inner) -> Result<(), Error> {
    let Some(connection) = inner.connection.as_mut() else { return Ok(()) };
    let now = connection.database().position();
    let mut room = KEPT_BYTES_MAX;
    for open in &inner.calls.cursors.open {
        room = room.saturating_sub(open.kept.bytes());
    }
    for at in 0..inner.calls.cursors.open.len() {
        let open = &mut inner.calls.cursors.open[at];
        let Rest::Running { compiled, state } = &open.rest else { continue };
        if *state == now {
            continue;
        }
        let connection = inner.connection.as_mut().ok_or(Error::SessionEnded)?;
        let bytes_before = open.kept.bytes();
        let ended = read_ahead(connection, compiled, &mut open.kept, room)?;
        room = room.saturating_sub(open.kept.bytes() - bytes_before);
        let interrupted = matches!(ended, Rest::Failed(Error::Interrupted));
        let rest = std::mem::replace(&mut open.rest, ended);
        close_rest(inner, rest);
        if interrupted {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}

fn read_ahead(
    connection: &mut Connection,
    compiled: &Compiled,
    kept: &mut Kept,
    room: usize,
) -> Result<Rest, Error> {
    const SQLITE_BUSY_SNAPSHOT: i32 = 517;
    let statement = connection.statement(compiled.id).ok_or(Error::NoCursor)?;
    kept.limit(room);
    match pump(statement, kept, true) {
        Ok(false) => Ok(Rest::None),
        Err(error) => Ok(Rest::Failed(error)),
        Ok(true) => Err(Error::Sqlite(SqliteError {
            code: SQLITE_BUSY_SNAPSHOT,
            message: "a result that is being read holds an older state of the database: read it \
                      to its end, or close it"
                .to_owned(),
            offset: None,
        })),
    }
}
