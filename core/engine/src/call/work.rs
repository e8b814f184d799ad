//! A call on its way through SQLite.

use std::sync::Arc;

use dqlite_vfs::{Connection, Step};

use super::cache::{Compiled, compile, put_back};
use super::columns::Columns;
use super::cursors::catch_up;
use super::many;
use super::parameters::{CallParameters, bind_exactly};
use super::sink::{BatchSink, pump};
use super::{Call, CallKind};
use crate::cell::Inner;
use crate::error::Error;
use crate::session::Attempt;

/// A call that was not run yet, or a script in its middle.
pub(crate) struct Work<T, P, S> {
    pub call: Call<T, P>,
    pub sink: S,
    /// The operation that it is.
    pub operation: u64,
    /// The session only reads.
    pub only_reads: bool,
    /// How far a script has come, in bytes.
    pub offset_bytes: usize,
}

/// What became of a call in SQLite.
pub(crate) struct Outcome<S> {
    pub sink: S,
    pub columns: Option<Arc<Columns>>,
    pub changes: Option<u64>,
    pub cursor: Option<u32>,
}

impl<S> Outcome<S> {
    fn without_rows(sink: S, changes: Option<u64>) -> Self {
        Self { sink, columns: None, changes, cursor: None }
    }
}

type Attempted<T, P, S> = Result<Attempt<Outcome<S>, Work<T, P, S>>, Error>;

impl<T, P, S> Work<T, P, S>
where
    T: AsRef<str> + Send + 'static,
    P: CallParameters,
    S: BatchSink,
{
    /// Runs as much as can be run without the lane, or with it if the session has it.
    pub fn run(self, inner: &mut Inner) -> Attempted<T, P, S> {
        if !inner.calls.cursors.is_empty() && connection(inner)?.is_autocommit() {
            catch_up(inner)?;
        }
        match self.call.kind {
            CallKind::Script => self.run_script(inner),
            CallKind::One | CallKind::Many => {
                let compiled = compile(inner, self.call.sql.as_ref())?;
                if compiled.needs_lane && inner.lane.is_none() {
                    put_back(inner, compiled);
                    return self.needs_lane(inner);
                }
                match self.call.kind {
                    CallKind::Many => self.run_many(inner, compiled),
                    _ => self.run_one(inner, compiled),
                }
            }
        }
    }

    fn needs_lane(self, inner: &mut Inner) -> Attempted<T, P, S> {
        if self.only_reads {
            return Err(Error::NotLeader);
        }
        inner.calls.told_nothing = true;
        Ok(Attempt::NeedsLane(self))
    }

    fn run_one(mut self, inner: &mut Inner, mut compiled: Compiled) -> Attempted<T, P, S> {
        let stepped = self.step(inner, &mut compiled);
        let (more, state) = match stepped {
            Ok(stepped) => stepped,
            Err(error) => {
                put_back(inner, compiled);
                return Err(error);
            }
        };
        let connection = connection(inner)?;
        let columns = compiled.columns(connection);
        let changes = compiled.changes_rows.then(|| connection.changes());
        inner.calls.told_nothing = compiled.only_begins;
        let cursor = if more {
            Some(inner.calls.cursors.add(compiled, state, self.operation))
        } else {
            put_back(inner, compiled);
            None
        };
        Ok(Attempt::Done(Outcome { sink: self.sink, columns, changes, cursor }))
    }

    /// Runs the statement until the sink is full. Tells whether more rows may follow, and what
    /// state of the database they show.
    fn step(
        &mut self,
        inner: &mut Inner,
        compiled: &mut Compiled,
    ) -> Result<(bool, dqlite_vfs::WalPosition), Error> {
        let sets = self.call.parameters.set_count();
        if sets > 1 {
            let reason = format!("one set of parameters is taken, {sets} given");
            return Err(Error::Parameters(reason));
        }
        bind(inner, compiled, &self.call.parameters, 0)?;
        self.begin(inner, compiled)?;
        let connection = connection(inner)?;
        let state = connection.database().position();
        let statement = connection.statement(compiled.id).ok_or(Error::NoStatement)?;
        // What writes must not hold the write lock until somebody has read its rows.
        let may_pause = !compiled.needs_lane;
        Ok((pump(statement, &mut self.sink, may_pause)?, state))
    }

    /// Opens the transaction that the statement belongs into, if that is asked for.
    fn begin(&self, inner: &mut Inner, compiled: &Compiled) -> Result<(), Error> {
        let asked = self.call.begin && compiled.belongs_into_a_transaction;
        if asked && connection(inner)?.is_autocommit() {
            many::control(inner, "BEGIN")?;
        }
        Ok(())
    }

    fn run_many(self, inner: &mut Inner, mut compiled: Compiled) -> Attempted<T, P, S> {
        let result = self.begin_many(inner, &compiled).and_then(|()| {
            let writes = compiled.needs_lane;
            many::run(inner, &mut compiled, &self.call.parameters, writes)
        });
        let counts = compiled.changes_rows;
        put_back(inner, compiled);
        let changes = result?;
        Ok(Attempt::Done(Outcome::without_rows(self.sink, counts.then_some(changes))))
    }

    fn begin_many(&self, inner: &mut Inner, compiled: &Compiled) -> Result<(), Error> {
        let statement = connection(inner)?.statement(compiled.id).ok_or(Error::NoStatement)?;
        if statement.column_count() > 0 {
            return Err(Error::ManyYieldsRows);
        }
        if self.call.parameters.set_count() > 0 {
            self.begin(inner, compiled)?;
        }
        Ok(())
    }

    /// Runs statements until the end, or until one needs the lane, which then stays with the
    /// script: its transactions follow each other without waiting for the log in between.
    fn run_script(mut self, inner: &mut Inner) -> Attempted<T, P, S> {
        if self.call.parameters.set_count() > 0 {
            return Err(Error::Parameters("a script takes no parameters".to_owned()));
        }
        let begins = crate::words::only_begins(self.call.sql.as_ref());
        while let Some((mut compiled, offset_bytes)) = self.compile_next(inner)? {
            if compiled.needs_lane && inner.lane.is_none() {
                finalize(inner, &compiled);
                return self.needs_lane(inner);
            }
            let ran = bind(inner, &mut compiled, &(), 0)
                .and_then(|()| self.begin(inner, &compiled))
                .and_then(|()| run_to_the_end(inner, &compiled));
            finalize(inner, &compiled);
            ran?;
            self.offset_bytes = offset_bytes;
        }
        inner.calls.told_nothing = begins;
        Ok(Attempt::Done(Outcome::without_rows(self.sink, None)))
    }

    /// The script's next statement, and where the text goes on after it.
    fn compile_next(&self, inner: &mut Inner) -> Result<Option<(Compiled, usize)>, Error> {
        let rest = &self.call.sql.as_ref()[self.offset_bytes..];
        let connection = connection(inner)?;
        if rest.is_empty() {
            return Ok(None);
        }
        let Some(prepared) = connection.prepare(rest)? else { return Ok(None) };
        let compiled = Compiled::new(connection, prepared.id, &rest[..prepared.tail_offset], 0)?;
        Ok(Some((compiled, self.offset_bytes + prepared.tail_offset)))
    }
}

pub(super) fn connection(inner: &mut Inner) -> Result<&mut Connection, Error> {
    inner.connection.as_mut().ok_or(Error::SessionEnded)
}

pub(super) fn bind<P: CallParameters>(
    inner: &mut Inner,
    compiled: &mut Compiled,
    parameters: &P,
    set: usize,
) -> Result<(), Error> {
    let statement = connection(inner)?.statement(compiled.id).ok_or(Error::NoStatement)?;
    bind_exactly(statement, compiled, parameters, set)
}

/// Runs a bound statement, throws its rows away, and makes it ready for other values.
pub(super) fn run_to_the_end(inner: &mut Inner, compiled: &Compiled) -> Result<(), Error> {
    let statement = connection(inner)?.statement(compiled.id).ok_or(Error::NoStatement)?;
    while statement.step()? == Step::Row {}
    statement.reset();
    Ok(())
}

fn finalize(inner: &mut Inner, compiled: &Compiled) {
    if let Some(connection) = inner.connection.as_mut() {
        connection.finalize(compiled.id);
    }
}
