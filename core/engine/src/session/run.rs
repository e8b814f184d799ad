//! How a session runs statements.

use dqlite_vfs::{Connection, StatementId, Step};

use super::{Executed, Parameters, Prepared, RowSink, Rows, Seen, Session, Source, Tail};
use crate::cell::Inner;
use crate::database::Marked;
use crate::error::Error;
use crate::lane::deadline_after;

/// A result that is being read.
#[derive(Debug)]
pub struct Cursor {
    statement: StatementId,
    /// True where the statement goes with the cursor.
    owned: bool,
}

/// Some rows of a result, as far as the sink had room.
#[derive(Debug)]
pub struct Batch<S> {
    /// The sink, with the rows.
    pub sink: S,
    /// Where the result goes on; `None` after its last row.
    pub cursor: Option<Cursor>,
}

/// What comes of a try to run a statement.
pub(super) enum Attempt<T, R> {
    Done(T),
    /// The statement writes and the session does not hold the lane: take it, and try again.
    NeedsLane(R),
}

impl Session {
    /// Prepares the first statement of `sql`.
    ///
    /// # Errors
    /// [`Error::EmptyStatement`] where there is none, [`Error::StatementTail`] where there are more
    /// and `tail` refuses them.
    pub async fn prepare(&mut self, sql: String, tail: Tail) -> Result<Prepared, Error> {
        let call = move |inner: &mut Inner| match tail {
            Tail::Report => prepare(inner, &sql)?.ok_or(Error::EmptyStatement),
            Tail::Refuse => prepare_only(inner, &sql),
        };
        self.on_connection(false, call).await
    }

    /// Drops a prepared statement.
    pub async fn finalize(&mut self, id: StatementId) -> Result<(), Error> {
        self.writing.remove(&id);
        let finalize = move |inner: &mut Inner| {
            let found = connection(inner)?.finalize(id);
            if found { Ok(()) } else { Err(Error::NoStatement) }
        };
        self.quietly(finalize).await
    }

    /// Runs one statement that gives no rows.
    ///
    /// # Errors
    /// [`Error::RowsYielded`] when it gives one; it then has no effect.
    pub async fn execute<P: Parameters>(
        &mut self,
        source: Source,
        parameters: P,
    ) -> Result<Executed, Error> {
        let run = |connection: &mut Connection, id, parameters: &P| {
            bind(connection, id, parameters, 0, Surplus::Ignore)?;
            run_without_rows(connection, id)
        };
        self.one(source, parameters, run).await
    }

    /// Runs one statement and gives its rows to `sink` until that is full. A statement that writes
    /// runs to its end, however many rows it gives: its write must not wait for a reader.
    pub async fn query<P: Parameters, S: RowSink>(
        &mut self,
        source: Source,
        parameters: P,
        sink: S,
    ) -> Result<Batch<S>, Error> {
        let owned = matches!(source, Source::Text(_));
        let mut sink = Some(sink);
        let run = move |connection: &mut Connection, id, parameters: &P| {
            bind(connection, id, parameters, 0, Surplus::Refuse)?;
            let mut sink = sink.take().ok_or(Error::NoCursor)?;
            let more = fill(connection, id, &mut sink)?;
            Ok((sink, more.then_some(Cursor { statement: id, owned })))
        };
        let (sink, cursor) = self.one(source, parameters, run).await?;
        Ok(Batch { sink, cursor })
    }

    /// Gives more rows of a result to `sink`.
    pub async fn fetch<S: RowSink>(
        &mut self,
        cursor: Cursor,
        mut sink: S,
    ) -> Result<Batch<S>, Error> {
        let fetch = move |inner: &mut Inner| {
            let connection = connection(inner)?;
            let id = cursor.statement;
            match fill(connection, id, &mut sink) {
                Ok(true) => Ok(Batch { sink, cursor: Some(cursor) }),
                Ok(false) => {
                    put_away(connection, id, cursor.owned);
                    Ok(Batch { sink, cursor: None })
                }
                Err(error) => {
                    put_away(connection, id, cursor.owned);
                    Err(error)
                }
            }
        };
        // The snapshot that is being read was concluded with the first batch.
        self.quietly(fetch).await
    }

    /// Ends a result before its last row.
    pub async fn close_cursor(&mut self, cursor: Cursor) -> Result<(), Error> {
        let close = move |inner: &mut Inner| {
            put_away(connection(inner)?, cursor.statement, cursor.owned);
            Ok(())
        };
        self.quietly(close).await
    }

    /// True inside an explicit transaction.
    pub async fn in_transaction(&mut self) -> Result<bool, Error> {
        self.quietly(|inner| Ok(!connection(inner)?.is_autocommit())).await
    }

    /// Runs one statement by `run`, with the lane if it needs it, and puts it away.
    async fn one<P, T, R>(&mut self, source: Source, parameters: P, run: R) -> Result<T, Error>
    where
        P: Parameters,
        T: Send + 'static,
        T: KeepsStatement,
        R: FnMut(&mut Connection, StatementId, &P) -> Result<T, Error> + Send + 'static,
    {
        let mut in_lane = match &source {
            Source::Text(sql) => writes_by_its_first_word(sql),
            Source::Prepared(id) => self.writing.contains(id),
        };
        let mut attempt = (source, parameters, run);
        loop {
            let call = move |inner: &mut Inner| {
                let (source, parameters, mut run) = attempt;
                let holds_lane = inner.lane.is_some();
                let (id, owned) = match &source {
                    Source::Prepared(id) => (*id, false),
                    Source::Text(sql) => (prepare_only(inner, sql)?.id, true),
                };
                let connection = connection(inner)?;
                let statement = connection.statement(id).ok_or(Error::NoStatement)?;
                if !statement.readonly() && !holds_lane {
                    put_away(connection, id, owned);
                    return Ok(Attempt::NeedsLane((source, parameters, run)));
                }
                let result = run(connection, id, &parameters);
                if !result.as_ref().is_ok_and(|value| value.keeps_statement()) {
                    put_away(connection, id, owned);
                }
                result.map(Attempt::Done)
            };
            match self.on_connection(in_lane, call).await? {
                Attempt::Done(value) => return Ok(value),
                Attempt::NeedsLane(again) => {
                    if let Source::Prepared(id) = &again.0 {
                        self.writing.insert(*id);
                    }
                    attempt = again;
                    in_lane = true;
                }
            }
        }
    }

    /// Runs `call` on the connection and waits for nothing.
    async fn quietly<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let cell = self.cell.clone();
        match self.context.env.blocking.run(move || cell.with(call)).await {
            // What interrupts a session that is over is the undo.
            Some(Err(Error::Interrupted)) if self.is_over() => Err(self.over()),
            Some(result) => result,
            None => Err(self.over()),
        }
    }

    /// Runs `call` on the connection, in the lane if it will write, and concludes.
    pub(super) async fn on_connection<T: Send + 'static>(
        &mut self,
        in_lane: bool,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let marked_call = self.marked_call()?;
        let database = self.database.clone();
        let cell = self.cell.clone();
        let speculation = self.speculation.clone();
        let only_begins = std::mem::take(&mut self.only_begins);
        let run = move |permit| {
            cell.with_lane(permit, |inner| {
                // Only the lane's holder commits, so a step ahead is this session's own.
                let before = inner.lane.is_some().then(|| speculation.newest());
                let marked = inner.lane.is_some().then(|| Marked::new(&database, marked_call));
                let result = call(inner);
                drop(marked);
                let ticket = speculation.ticket();
                let result = result.map_err(|error| explain(inner, error));
                let seen = if before.is_some_and(|before| ticket.sequence > before) {
                    Seen::Written(ticket)
                } else if only_begins && result.is_ok() {
                    Seen::Nothing
                } else {
                    Seen::Read(ticket)
                };
                (result, seen)
            })
        };
        let blocking = self.context.env.blocking;
        let ran = if in_lane && !self.cell.holds_lane() {
            self.wait_for_the_log().await?;
            let deadline = deadline_after(self.busy_timeout);
            let stop = self.interrupted.notified();
            self.database
                .lane
                .run(blocking, move |permit| run(Some(permit)), deadline, stop)
                .await?
        } else {
            blocking.run(move || run(None).0).await
        };
        match ran {
            Some((Err(Error::Interrupted), _)) if self.is_over() => Err(self.over()),
            Some((result, seen)) => self.conclude(result, seen).await,
            None => Err(self.over()),
        }
    }

    /// Writers are faster than the log: lets it catch up before adding to what waits.
    async fn wait_for_the_log(&self) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + self.context.options.commit_timeout;
        while let Some((bytes, oldest)) = self.database.backlog()
            && bytes > self.context.options.backlog_bytes_max
        {
            oldest.settled(deadline).await.map_err(|_| Error::NotLeader)?;
        }
        Ok(())
    }
}

/// Tells whether a result still needs the statement that it came from.
pub(super) trait KeepsStatement {
    fn keeps_statement(&self) -> bool;
}

impl KeepsStatement for Executed {
    fn keeps_statement(&self) -> bool {
        false
    }
}

impl<S> KeepsStatement for (S, Option<Cursor>) {
    fn keeps_statement(&self) -> bool {
        self.1.is_some()
    }
}

/// What to do with more values than a statement has places for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Surplus {
    Ignore,
    Refuse,
}

pub(super) fn connection(inner: &mut Inner) -> Result<&mut Connection, Error> {
    inner.connection.as_mut().ok_or(Error::SessionEnded)
}

fn prepare(inner: &mut Inner, sql: &str) -> Result<Option<Prepared>, Error> {
    let prepared = connection(inner)?.prepare(sql)?;
    Ok(prepared.map(|it| Prepared {
        id: it.id,
        parameter_count: it.parameter_count,
        tail_offset: it.tail_offset,
    }))
}

/// Prepares text that must hold exactly one statement.
fn prepare_only(inner: &mut Inner, sql: &str) -> Result<Prepared, Error> {
    let prepared = prepare(inner, sql)?.ok_or(Error::EmptyStatement)?;
    let connection = connection(inner)?;
    if is_blank(connection, &sql[prepared.tail_offset..]) {
        return Ok(prepared);
    }
    connection.finalize(prepared.id);
    Err(Error::StatementTail)
}

/// True where `sql` holds no statement. Text that is no statement either counts as one.
fn is_blank(connection: &mut Connection, sql: &str) -> bool {
    if sql.trim().is_empty() {
        return true;
    }
    match connection.prepare(sql) {
        Ok(None) => true,
        Ok(Some(prepared)) => {
            connection.finalize(prepared.id);
            false
        }
        Err(_) => false,
    }
}

/// Binds the values from `first` on and gives how many were taken; the rest become NULL.
pub(super) fn bind<P: Parameters>(
    connection: &mut Connection,
    id: StatementId,
    parameters: &P,
    first: usize,
    surplus: Surplus,
) -> Result<usize, Error> {
    let statement = connection.statement(id).ok_or(Error::NoStatement)?;
    statement.reset();
    statement.clear_bindings();
    let places = statement.parameter_count();
    let given = parameters.count().saturating_sub(first);
    if given > places && surplus == Surplus::Refuse {
        return Err(Error::TooManyParameters { given, taken: places });
    }
    let taken = given.min(places);
    for (place, value) in parameters.values().skip(first).take(taken).enumerate() {
        statement.bind(place + 1, value)?;
    }
    Ok(taken)
}

/// Runs a statement that must give no rows.
pub(super) fn run_without_rows(
    connection: &mut Connection,
    id: StatementId,
) -> Result<Executed, Error> {
    let total_before = connection.total_changes();
    let statement = connection.statement(id).ok_or(Error::NoStatement)?;
    if statement.column_count() > 0 && !statement.readonly() && !statement.is_explain() {
        // Told before it starts: afterwards only a rollback of all could undo it.
        return Err(Error::RowsYielded);
    }
    if statement.step()? == Step::Row {
        return Err(Error::RowsYielded);
    }
    // SQLite keeps the count of an earlier statement after one that changes no rows.
    let changed = connection.total_changes() != total_before;
    let changes = if changed { connection.changes() } else { 0 };
    Ok(Executed { last_insert_rowid: connection.last_insert_rowid(), changes })
}

/// Gives rows to `sink`. True when more may follow.
fn fill<S: RowSink>(
    connection: &mut Connection,
    id: StatementId,
    sink: &mut S,
) -> Result<bool, Error> {
    let statement = connection.statement(id).ok_or(Error::NoCursor)?;
    let may_pause = statement.readonly();
    let full = sink.take(&mut Rows { statement, may_pause })?;
    assert!(may_pause || !full, "a statement that writes was left in the middle");
    Ok(full)
}

/// Makes a statement ready for its next use, or drops it.
pub(super) fn put_away(connection: &mut Connection, id: StatementId, owned: bool) {
    if owned {
        connection.finalize(id);
    } else if let Some(statement) = connection.statement(id) {
        statement.reset();
        statement.clear_bindings();
    }
}

/// True where `sql` does no more than open a transaction that has read nothing yet. Any other text,
/// one that is only compiled too, may tell of the schema.
pub(super) fn only_begins(sql: &str) -> bool {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    ["BEGIN", "BEGIN TRANSACTION", "BEGIN DEFERRED", "BEGIN DEFERRED TRANSACTION"]
        .iter()
        .any(|it| sql.eq_ignore_ascii_case(it))
}

/// Says why a statement was not authorized.
fn explain(inner: &mut Inner, error: Error) -> Error {
    const SQLITE_AUTH: i32 = 23;
    let reason = inner.refusals.take();
    match error {
        Error::Sqlite(mut error) if error.code == SQLITE_AUTH || reason.is_some() => {
            error.code = SQLITE_AUTH; // SQLite has a plain error for a function.
            // What the VFS refuses by itself, it refuses before anybody is asked for a reason.
            let reason = reason.as_deref().unwrap_or("other files cannot be attached or written");
            error.message = format!("not authorized: {reason}");
            Error::Sqlite(error)
        }
        error => error,
    }
}

/// A guess that spares a statement a second try; being wrong costs only time.
pub(super) fn writes_by_its_first_word(sql: &str) -> bool {
    let sql = sql.trim_start();
    let word = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "VACUUM", "REINDEX"]
        .iter()
        .any(|it| word.eq_ignore_ascii_case(it))
}
