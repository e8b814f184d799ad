//! One session of a database on the node that leads.
//!
//! 1. A session goes back to the pool only when no answer is outstanding, no transaction is open
//!    and no statement is prepared.
//! 2. A transaction is `Open` only while that is certain. Only then may a lost answer be called
//!    "not applied".
//! 3. Rows of a reading statement that nobody wants are interrupted. Those of a writing one are
//!    read to the end: interrupting it could take a whole transaction back unseen.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use dqlite_wire::{
    EncodeError, Frame, Request, Response, ResponseType, RowsDecoder, RowsEnd, TailPolicy, Value,
    ValueRef, encode_exec, encode_exec_sql, encode_query, encode_query_sql,
};
use tokio::time::Instant;

use crate::connection::{Executed, Statement};
use crate::fault::{Effect, Failure, Fault};
use crate::link::{Link, Phase, unexpected};
use crate::shape::Shape;

/// What is known of the session's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InTransaction {
    /// None is open.
    No,
    /// One is open (2).
    Open,
    /// One may be.
    Maybe,
}

/// What is run: a text, or what was prepared from one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Text(&'a str),
    Prepared(&'a Statement),
}

impl Source<'_> {
    fn shape(self) -> Shape {
        match self {
            Self::Text(sql) => Shape::of(sql),
            Self::Prepared(statement) => statement.shape,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    link: Link,
    /// Tells sessions apart, in this process.
    number: u64,
    in_transaction: InTransaction,
    statements: Vec<u32>,
    /// The effect of the statement whose rows are being read.
    streaming: Effect,
}

impl Session {
    /// Opens `database` over a link to the leader.
    pub async fn open(link: Link, database: &str, deadline: Instant) -> Result<Self, Fault> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let mut session = Self {
            link,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            in_transaction: InTransaction::No,
            statements: Vec::new(),
            streaming: Effect::Nothing,
        };
        let request = Request::Open { name: database.into(), flags: 0, vfs: "".into() };
        match session.link.call(&request, deadline).await? {
            Response::Database { id: 0 } => Ok(session),
            other => Err(unexpected(&other)),
        }
    }

    pub fn address(&self) -> &str {
        self.link.address()
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the session can serve someone else as it is (1).
    pub fn is_clean(&mut self) -> bool {
        self.in_transaction == InTransaction::No && self.statements.is_empty() && self.link.is_fit()
    }

    /// Whether [`Session::clean`] has a chance.
    pub fn can_be_cleaned(&self) -> bool {
        self.link.phase() != Phase::Waiting
    }

    /// Makes the session fit for someone else (1).
    pub async fn clean(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.settle(deadline).await?;
        if self.in_transaction != InTransaction::No {
            self.rollback(deadline).await.map_err(|failure| failure.fault)?;
        }
        while let Some(statement) = self.statements.last().copied() {
            self.finalize(statement, deadline).await?;
        }
        Ok(())
    }

    /// Runs a statement, or a script of them, that gives no rows.
    pub async fn execute(
        &mut self,
        source: Source<'_>,
        params: &[Value],
        deadline: Instant,
    ) -> Result<Executed, Failure> {
        let (shape, effect) = self.shape_of(source);
        let answer = self.run(source, params, Rowless, deadline).await;
        let executed = answer.and_then(|frame| match self.link.finish(&frame)? {
            Response::Result { last_insert_id, rows_affected } => {
                Ok(Executed { last_insert_id, rows_affected })
            }
            other => Err(self.reject(&other)),
        });
        self.note(shape, executed.is_ok());
        executed.map_err(|fault| fault.with(effect))
    }

    /// Runs a statement for its rows, and reads the first frame of them.
    pub async fn query(
        &mut self,
        source: Source<'_>,
        params: &[Value],
        deadline: Instant,
    ) -> Result<RowsDecoder, Failure> {
        let (shape, effect) = self.shape_of(source);
        let answer = self.run(source, params, Rowful, deadline).await;
        let rows = answer.and_then(|frame| self.take_rows(&frame));
        self.streaming = effect;
        self.note(shape, rows.is_ok());
        rows.map_err(|fault| fault.with(effect))
    }

    /// Reads the next frame of rows. May be cancelled.
    pub async fn more_rows(&mut self, deadline: Instant) -> Result<RowsDecoder, Failure> {
        let rows = match self.link.receive(deadline).await {
            Ok(frame) => self.take_rows(&frame),
            Err(fault) => {
                self.link.set_phase(Phase::Waiting);
                Err(fault)
            }
        };
        rows.map_err(|fault| {
            if self.in_transaction == InTransaction::Open {
                self.in_transaction = InTransaction::Maybe;
            }
            fault.with(self.streaming)
        })
    }

    /// Whether frames of a result are still to come.
    pub fn is_streaming(&self) -> bool {
        self.link.phase() == Phase::Streaming
    }

    /// The effect of the statement whose rows are being read, or were last.
    pub fn streaming_effect(&self) -> Effect {
        self.streaming
    }

    /// The stream made no sense: it is not used again.
    pub fn give_up(&mut self) {
        self.link.give_up();
    }

    pub async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement, Fault> {
        self.settle(deadline).await?;
        let tail = TailPolicy::Refuse;
        let request = Request::Prepare { database: 0, sql: sql.into(), tail };
        match self.link.call(&request, deadline).await? {
            Response::Statement { id, params, .. } => {
                self.statements.push(id);
                Ok(Statement { id, session: self.number, params, shape: Shape::of(sql) })
            }
            other => Err(self.reject(&other)),
        }
    }

    pub async fn finalize(&mut self, statement: u32, deadline: Instant) -> Result<(), Fault> {
        self.settle(deadline).await?;
        let request = Request::Finalize { database: 0, statement };
        match self.link.call(&request, deadline).await? {
            Response::Empty => {
                self.statements.retain(|id| *id != statement);
                Ok(())
            }
            other => Err(self.reject(&other)),
        }
    }

    pub async fn begin(&mut self, sql: &str, deadline: Instant) -> Result<(), Failure> {
        // A transaction that was begun and is then given up has no effect.
        let begun = self.execute(Source::Text(sql), &[], deadline).await;
        begun.map_err(|failure| failure.fault.with(Effect::Nothing))?;
        self.in_transaction = InTransaction::Open;
        Ok(())
    }

    pub async fn commit(&mut self, deadline: Instant) -> Result<(), Failure> {
        self.execute(Source::Text("COMMIT"), &[], deadline).await?;
        self.in_transaction = InTransaction::No;
        Ok(())
    }

    /// Takes the transaction back, if there is one.
    pub async fn rollback(&mut self, deadline: Instant) -> Result<(), Failure> {
        match self.execute(Source::Text("ROLLBACK"), &[], deadline).await {
            Ok(_) => {}
            Err(Failure { fault: Fault::Refused { message, .. }, .. })
                if message.contains("no transaction is active") => {}
            Err(failure) => return Err(failure.fault.with(Effect::Nothing)),
        }
        self.in_transaction = InTransaction::No;
        Ok(())
    }

    /// What the source does, by itself and as things are.
    fn shape_of(&self, source: Source<'_>) -> (Shape, Effect) {
        let shape = source.shape();
        let effect = match (shape.effect, self.in_transaction) {
            (Effect::Nothing, _) => Effect::Nothing,
            (_, InTransaction::Open) if !shape.may_end => Effect::InTransaction,
            (effect, _) => effect,
        };
        (shape, effect)
    }

    /// Keeps track of the transaction.
    fn note(&mut self, shape: Shape, succeeded: bool) {
        let uncertain = shape.may_begin || shape.may_end;
        self.in_transaction = match self.in_transaction {
            InTransaction::No if shape.may_begin => InTransaction::Maybe,
            // SQLite takes a transaction back by itself after some errors.
            InTransaction::Open if uncertain || !succeeded => InTransaction::Maybe,
            as_before => as_before,
        };
    }

    /// Sends a statement and reads the first frame of its answer.
    async fn run(
        &mut self,
        source: Source<'_>,
        params: &[Value],
        encoder: impl Encoder,
        deadline: Instant,
    ) -> Result<Frame, Fault> {
        if params.iter().any(|value| matches!(value, Value::Float(number) if number.is_nan())) {
            let reason = "NaN cannot be a parameter: SQLite would store NULL";
            return Err(Fault::Unusable(reason.to_owned()));
        }
        self.settle(deadline).await?;
        let params: Vec<ValueRef<'_>> = params.iter().map(Value::as_ref).collect();
        self.link.send(|out| encoder.encode(out, source, &params), deadline).await?;
        self.link.receive(deadline).await
    }

    /// Gets rid of the rows that nobody read (3).
    async fn settle(&mut self, deadline: Instant) -> Result<(), Fault> {
        if self.link.phase() != Phase::Streaming {
            return Ok(());
        }
        self.link.set_phase(Phase::Waiting);
        let last = if self.streaming == Effect::Nothing {
            self.link.send_between(&Request::Interrupt { database: 0 }, deadline).await?;
            ResponseType::Empty
        } else {
            ResponseType::Failure
        };
        loop {
            let frame = self.link.receive(deadline).await.map_err(unsent)?;
            let kind = ResponseType::from_number(frame.kind);
            let read_to_the_end =
                last != ResponseType::Empty && end_of(&frame.body) == Some(RowsEnd::Done);
            if kind == Some(last) || read_to_the_end {
                self.link.set_phase(Phase::Idle);
                return Ok(());
            }
        }
    }

    /// Takes a frame of rows and sees from its last word whether more follow.
    fn take_rows(&mut self, frame: &Frame) -> Result<RowsDecoder, Fault> {
        self.link.set_phase(Phase::Waiting);
        let body = match self.link.finish(frame)? {
            Response::Rows(body) => body,
            other => return Err(self.reject(&other)),
        };
        self.link.set_phase(Phase::Waiting);
        let phase = match end_of(&body) {
            Some(RowsEnd::Done) => Phase::Idle,
            Some(RowsEnd::Part) => Phase::Streaming,
            None => return Err(Fault::Garbled("rows without an end".to_owned())),
        };
        let rows = RowsDecoder::new(body).map_err(|error| Fault::Garbled(error.to_string()))?;
        self.link.set_phase(phase);
        Ok(rows)
    }

    /// An answer to something else: the stream is not used again.
    fn reject(&mut self, response: &Response) -> Fault {
        self.link.give_up();
        unexpected(response)
    }
}

/// A fault before the request proper was sent.
fn unsent(fault: Fault) -> Fault {
    match fault {
        Fault::Lost(reason) | Fault::Garbled(reason) => Fault::Unsent(reason),
        Fault::TimedOut { .. } => Fault::TimedOut { sent: false },
        other => other,
    }
}

/// How a frame of rows ends, by its last word.
fn end_of(body: &Bytes) -> Option<RowsEnd> {
    let marker = u64::from_le_bytes(*body.last_chunk()?);
    [RowsEnd::Done, RowsEnd::Part].into_iter().find(|end| end.marker() == marker)
}

/// Which request a statement is sent with.
trait Encoder {
    fn encode(
        self,
        out: &mut BytesMut,
        source: Source<'_>,
        params: &[ValueRef<'_>],
    ) -> Result<(), EncodeError>;
}

/// For statements without rows.
struct Rowless;

/// For statements with rows.
struct Rowful;

impl Encoder for Rowless {
    fn encode(
        self,
        out: &mut BytesMut,
        source: Source<'_>,
        params: &[ValueRef<'_>],
    ) -> Result<(), EncodeError> {
        match source {
            Source::Text(sql) => encode_exec_sql(out, 0, sql, params),
            Source::Prepared(statement) => encode_exec(out, 0, statement.id, params),
        }
    }
}

impl Encoder for Rowful {
    fn encode(
        self,
        out: &mut BytesMut,
        source: Source<'_>,
        params: &[ValueRef<'_>],
    ) -> Result<(), EncodeError> {
        match source {
            Source::Text(sql) => encode_query_sql(out, 0, sql, params),
            Source::Prepared(statement) => encode_query(out, 0, statement.id, params),
        }
    }
}
