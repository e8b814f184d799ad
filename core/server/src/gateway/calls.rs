//! Calls: whole statements in one exchange, for drivers.

use std::io;

use bytes::BytesMut;
use dqlite_wire::call::{BatchLimits, Fetch, OpenSession, Opened, Run};
use dqlite_wire::{EncodeError, HEADER_BYTES, Response, codes, limits};

use super::Gateway;
use super::attend::attend;
use crate::call_session::{CallError, CallSession};

impl Gateway {
    pub(super) async fn open_call_session(&mut self, open: &OpenSession) -> io::Result<()> {
        self.forget_ended_session();
        if self.session.is_some() || self.call_session.as_ref().is_some_and(|it| !it.is_over()) {
            return self.fail(codes::ERROR, codes::messages::ALREADY_OPEN);
        }
        self.call_session = None;
        match self.node().open_session(open).await {
            Ok(session) => {
                self.call_session = Some(session);
                let index = self.node().applied_index();
                self.respond(&Response::Session(Opened { node: self.node.identity.id, index }))
            }
            Err(error) => self.fail_call(&error),
        }
    }

    pub(super) async fn run(&mut self, mut run: Run) -> io::Result<()> {
        let Some(mut session) = self.take_call_session()? else { return Ok(()) };
        run.limits = bounded(run.limits);
        let canceller = session.canceller();
        let work = session.run(run, self.node.env.blocking);
        let attended = attend(&mut self.reader, || canceller.cancel(), work).await?;
        match attended.value {
            Ok(ran) => {
                let (wrote, cursor) = (ran.changes.is_some(), ran.cursor);
                let response = Response::Ran(ran);
                self.respond_with_rows(&mut session, &response, wrote, cursor).await?;
            }
            Err(error) => self.fail_call(&error)?,
        }
        self.call_session = Some(session);
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn fetch(&mut self, fetch: Fetch) -> io::Result<()> {
        let Some(mut session) = self.take_call_session()? else { return Ok(()) };
        let canceller = session.canceller();
        let (cursor, limits) = (fetch.cursor, bounded(fetch.limits));
        let work = session.fetch(cursor, limits, self.node.env.blocking);
        let attended = attend(&mut self.reader, || canceller.cancel(), work).await?;
        match attended.value {
            Ok(fetched) => {
                let cursor = Some(cursor).filter(|_| fetched.more);
                let response = Response::Batch(fetched);
                self.respond_with_rows(&mut session, &response, false, cursor).await?;
            }
            Err(error) => self.fail_call(&error)?,
        }
        self.call_session = Some(session);
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn close_cursor(&mut self, cursor: u32) -> io::Result<()> {
        let Some(mut session) = self.take_call_session()? else { return Ok(()) };
        let canceller = session.canceller();
        let work = session.close_cursor(cursor);
        let attended = attend(&mut self.reader, || canceller.cancel(), work).await?;
        self.call_session = Some(session);
        match attended.value {
            Ok(()) => self.respond(&Response::Empty)?,
            Err(error) => self.fail_call(&error)?,
        }
        self.acknowledge(attended.interrupted)
    }

    /// The session for a call; it is to be put back. `None` when there is none, and the request was
    /// answered with that. A session that is over says so itself.
    fn take_call_session(&mut self) -> io::Result<Option<CallSession>> {
        if self.call_session.is_none() {
            self.fail(codes::NOT_FOUND, codes::messages::NO_SESSION)?;
        }
        Ok(self.call_session.take())
    }

    pub(super) fn fail_call(&mut self, error: &CallError) -> io::Result<()> {
        self.fail(error.code, &error.message)
    }

    /// Answers with rows, unless one of them is larger than clients take. Then a result cannot be
    /// read on; and of a statement that has had its effect the client must not be told that it
    /// failed: its connection is closed.
    async fn respond_with_rows(
        &mut self,
        session: &mut CallSession,
        response: &Response,
        wrote: bool,
        cursor: Option<u32>,
    ) -> io::Result<()> {
        let body_bytes = match encode_bounded(response, &mut self.out, limits::BODY_BYTES_MAX) {
            Ok(()) => return Ok(()),
            Err(EncodeError::BodyTooLarge { body_bytes }) => body_bytes,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        let reason = format!("rows of {body_bytes} bytes do not fit one answer");
        if wrote {
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if let Some(cursor) = cursor
            && let Err(error) = session.close_cursor(cursor).await
        {
            tracing::debug!(message = error.message, "the result was gone already");
        }
        self.fail(codes::TOO_BIG, &reason)
    }
}

/// Writes the response if its body has no more than `body_bytes_max` bytes; else `out` is as it
/// was.
fn encode_bounded(
    response: &Response,
    out: &mut BytesMut,
    body_bytes_max: usize,
) -> Result<(), EncodeError> {
    let start = out.len();
    response.encode(out)?;
    let body_bytes = out.len() - start - HEADER_BYTES;
    if body_bytes > body_bytes_max {
        out.truncate(start);
        return Err(EncodeError::BodyTooLarge { body_bytes });
    }
    Ok(())
}

/// What a client asks for, as far as it is reasonable.
fn bounded(limits: BatchLimits) -> BatchLimits {
    BatchLimits { rows: limits.rows.max(1), bytes: limits.bytes.clamp(1, limits::BATCH_BYTES_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use dqlite_wire::call::{Fetched, RowBatch};

    #[test]
    fn an_answer_that_clients_would_not_take_is_not_begun() {
        let rows = RowBatch(Bytes::from(vec![7; 64]));
        let response = Response::Batch(Fetched { rows, more: false });
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = encode_bounded(&response, &mut out, 79);
        assert_eq!(refused, Err(EncodeError::BodyTooLarge { body_bytes: 80 }));
        assert_eq!(out, &b"before"[..]);
        encode_bounded(&response, &mut out, 80).unwrap();
        assert_eq!(out.len(), 6 + HEADER_BYTES + 80);
    }

    #[test]
    fn batches_are_never_empty_and_never_huge() {
        let none = bounded(BatchLimits { rows: 0, bytes: 0 });
        assert_eq!(none, BatchLimits { rows: 1, bytes: 1 });
        let all = bounded(BatchLimits { rows: u32::MAX, bytes: u32::MAX });
        assert_eq!(all, BatchLimits { rows: u32::MAX, bytes: limits::BATCH_BYTES_MAX });
    }
}
