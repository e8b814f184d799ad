//! Requests that run SQL.

use std::io;

use bytes::BytesMut;
use dqlite_engine::{Error, Executed, Session, Source, StatementId, Tail};
use dqlite_wire::{Params, Response, TailPolicy, codes};

use super::Gateway;
use super::attend::{Attended, attend};
use super::values::{RequestParams, RowFrames};

impl Gateway {
    pub(super) async fn open(&mut self, name: &str) -> io::Result<()> {
        self.forget_ended_session();
        if !self.node.engine.is_leading() {
            return self.fail_with(&Error::NotLeader);
        }
        if self.session.is_some() {
            return self.fail(codes::BUSY, codes::messages::ALREADY_OPEN);
        }
        if self.call_session.is_some() {
            return self.fail(codes::ERROR, codes::messages::ALREADY_OPEN);
        }
        match self.node.engine.open_session(name).await {
            Ok(session) => {
                self.session = Some(session);
                self.respond(&Response::Database { id: 0 })
            }
            Err(error) => self.fail_with(&error),
        }
    }

    pub(super) async fn prepare(
        &mut self,
        database: u64,
        sql: String,
        tail: TailPolicy,
    ) -> io::Result<()> {
        let Some(mut session) = self.session_for(database)? else { return Ok(()) };
        let interrupter = session.interrupter();
        let policy = match tail {
            TailPolicy::Refuse => Tail::Refuse,
            TailPolicy::Report => Tail::Report,
        };
        let work = session.prepare(sql, policy);
        let attended = attend(&mut self.reader, || interrupter.interrupt(), work).await?;
        self.session = Some(session);
        match &attended.value {
            Ok(prepared) => self.respond(&Response::Statement {
                database: 0,
                id: prepared.id.0,
                params: prepared.parameter_count as u64,
                tail_bytes: (tail == TailPolicy::Report).then_some(prepared.tail_offset as u64),
            })?,
            Err(error) => self.fail_with(error)?,
        }
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn finalize(&mut self, database: u32, statement: u32) -> io::Result<()> {
        self.forget_ended_session();
        let Some(session) = self.session.as_mut().filter(|_| database == 0) else {
            return self.fail(codes::NOT_FOUND, codes::messages::NO_DATABASE);
        };
        match session.finalize(StatementId(statement)).await {
            Ok(()) => self.respond(&Response::Empty),
            Err(error) => self.fail_with(&error),
        }
    }

    pub(super) async fn exec(
        &mut self,
        database: u32,
        statement: u32,
        params: Params,
    ) -> io::Result<()> {
        let Some(mut session) = self.session_for(database.into())? else { return Ok(()) };
        let interrupter = session.interrupter();
        let source = Source::Prepared(StatementId(statement));
        let work = session.execute(source, RequestParams(params));
        let attended = attend(&mut self.reader, || interrupter.interrupt(), work).await?;
        self.session = Some(session);
        self.executed(attended)
    }

    pub(super) async fn exec_sql(
        &mut self,
        database: u64,
        sql: String,
        params: Params,
    ) -> io::Result<()> {
        let Some(mut session) = self.session_for(database)? else { return Ok(()) };
        let interrupter = session.interrupter();
        let work = session.execute_script(sql, RequestParams(params));
        let attended = attend(&mut self.reader, || interrupter.interrupt(), work).await?;
        self.session = Some(session);
        self.executed(attended)
    }

    fn executed(&mut self, attended: Attended<Result<Executed, Error>>) -> io::Result<()> {
        match &attended.value {
            Ok(executed) => self.respond(&Response::Result {
                last_insert_id: executed.last_insert_rowid,
                rows_affected: executed.changes,
            })?,
            Err(error) => self.fail_with(error)?,
        }
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn query(
        &mut self,
        database: u32,
        statement: u32,
        params: Params,
    ) -> io::Result<()> {
        let source = Source::Prepared(StatementId(statement));
        self.stream(database.into(), source, params).await
    }

    pub(super) async fn query_sql(
        &mut self,
        database: u64,
        sql: String,
        params: Params,
    ) -> io::Result<()> {
        self.stream(database, Source::Text(sql), params).await
    }

    /// Streams the rows of a statement.
    async fn stream(&mut self, database: u64, source: Source, params: Params) -> io::Result<()> {
        let Some(mut session) = self.session_for(database)? else { return Ok(()) };
        let interrupter = session.interrupter();
        let frames = RowFrames(std::mem::take(&mut self.out));
        let work = session.query(source, RequestParams(params), frames);
        let mut attended = attend(&mut self.reader, || interrupter.interrupt(), work).await?;
        loop {
            if attended.interrupted {
                if let Ok(batch) = attended.value
                    && let Some(cursor) = batch.cursor
                    && let Err(error) = session.close_cursor(cursor).await
                {
                    tracing::debug!(%error, "the interrupted result was gone already");
                }
                self.session = Some(session);
                self.out = BytesMut::new();
                return self.respond(&Response::Empty); // (2) of the module above.
            }
            let batch = match attended.value {
                Ok(batch) => batch,
                Err(error) => {
                    self.session = Some(session);
                    self.out = BytesMut::new();
                    return self.fail_with(&error);
                }
            };
            self.out = batch.sink.0;
            let Some(cursor) = batch.cursor else {
                self.session = Some(session);
                return Ok(());
            };
            self.flush().await?;
            let frames = RowFrames(std::mem::take(&mut self.out));
            let work = session.fetch(cursor, frames);
            attended = attend(&mut self.reader, || interrupter.interrupt(), work).await?;
        }
    }

    /// The session for a request to run SQL; it is to be put back. `None` when the request was
    /// answered with a failure: not leader first, then no database.
    fn session_for(&mut self, database: u64) -> io::Result<Option<Session>> {
        self.forget_ended_session();
        if !self.node.engine.is_leading() {
            self.fail_with(&Error::NotLeader)?;
            return Ok(None);
        }
        if database != 0 || self.session.is_none() {
            self.fail(codes::NOT_FOUND, codes::messages::NO_DATABASE)?;
            return Ok(None);
        }
        Ok(self.session.take())
    }

    /// A session that lost its connection with the lead cannot go on; the client may open another.
    pub(super) fn forget_ended_session(&mut self) {
        if self.session.as_ref().is_some_and(Session::is_over) {
            self.session = None;
        }
    }

    /// Answers the INTERRUPT that came while a request ran, where its own answer was given before.
    pub(super) fn acknowledge(&mut self, interrupted: bool) -> io::Result<()> {
        if interrupted { self.respond(&Response::Empty) } else { Ok(()) }
    }
}
