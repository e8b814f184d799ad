//! One client's stream: requests in, answers out, in order.
//!
//! 1. One request is answered before the next is begun. While a statement runs, the stream is
//!    looked at one frame ahead, for an INTERRUPT or the client's going away.
//! 2. Every INTERRUPT is answered by exactly one EMPTY. A result that it stops ends with that EMPTY
//!    instead of its DONE.
//! 3. Whatever comes, the stream is answered or closed: it never hangs, and it leaves no lock
//!    behind. The session goes with the stream.

mod administration;
mod attend;
mod backup;
mod calls;
mod frames;
mod import;
mod positions;
pub(crate) mod scratch;
mod statements;
mod values;

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use dqlite_engine::{Error, Session};
use dqlite_env::Stream;
use dqlite_wire::{Frame, Protocol, Request, RequestError, Response, codes, encode_failure};
use tokio::io::{AsyncWriteExt, WriteHalf};

use crate::call_session::CallSession;
use crate::node::{Node, Shared};
use backup::Backup;
use frames::{FrameReader, KEPT_BYTES_MAX};
use import::Import;

/// What a client is told of how long it may stay silent. Nothing depends on it.
const HEARTBEAT_TIMEOUT_MS: u64 = 15_000;

/// The state of one client's stream.
#[derive(Debug)]
pub(crate) struct Gateway {
    // These first: whoever sees the stream closed finds them gone.
    /// dqlite's kind of session. There is this, or the next, or none.
    session: Option<Session>,
    call_session: Option<CallSession>,
    import: Option<Import>,
    backup: Option<Backup>,
    node: Arc<Shared>,
    protocol: Protocol,
    reader: FrameReader,
    writer: WriteHalf<Box<dyn Stream>>,
    /// Answers that are not written yet.
    out: BytesMut,
}

impl Gateway {
    /// Serves `stream` until the client goes away. `buffer` holds what was read after the hello.
    pub async fn serve(
        node: Arc<Shared>,
        protocol: Protocol,
        stream: Box<dyn Stream>,
        buffer: BytesMut,
    ) -> io::Result<()> {
        let (reader, writer) = tokio::io::split(stream);
        let reader = FrameReader::new(reader, buffer, node.options.frame_bytes_max);
        let out = BytesMut::new();
        let mut gateway = Self {
            node,
            protocol,
            reader,
            writer,
            out,
            session: None,
            call_session: None,
            import: None,
            backup: None,
        };
        while let Some(frame) = gateway.reader.next().await? {
            gateway.answer(frame).await?;
            gateway.flush().await?;
        }
        Ok(())
    }

    async fn answer(&mut self, frame: Frame) -> io::Result<()> {
        let request = match Request::decode(&frame) {
            Ok(request) => request,
            Err(error) => return self.refuse(&error),
        };
        match request {
            Request::Leader => self.leader(),
            Request::Client { .. } => {
                self.respond(&Response::Welcome { heartbeat_timeout_ms: HEARTBEAT_TIMEOUT_MS })
            }
            Request::Heartbeat { .. } => self.fail(codes::PARSE, "unrecognized request type"),
            Request::Open { name, .. } => self.open(&name).await,
            Request::Prepare { database, sql, tail } => {
                self.prepare(database, sql.to_string(), tail).await
            }
            Request::Exec { database, statement, params } => {
                self.exec(database, statement, params).await
            }
            Request::Query { database, statement, params } => {
                self.query(database, statement, params).await
            }
            Request::Finalize { database, statement } => self.finalize(database, statement).await,
            Request::ExecSql { database, sql, params } => {
                self.exec_sql(database, sql.to_string(), params).await
            }
            Request::QuerySql { database, sql, params } => {
                self.query_sql(database, sql.to_string(), params).await
            }
            Request::Interrupt { .. } => self.respond(&Response::Empty), // (2)
            Request::Connect { .. } => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a node of another implementation cannot take part in this cluster",
            )),
            Request::Add { id, address } => self.add(id, &address).await,
            Request::Assign { id, role } => self.assign(id, role).await,
            Request::Remove { id } => self.remove(id).await,
            Request::Transfer { id } => self.transfer(id).await,
            Request::Dump { name } => self.dump(&name).await,
            Request::Cluster { format } => self.cluster(format),
            Request::Describe => self.describe(),
            Request::Weight { weight } => self.set_weight(weight),
            Request::Status => self.status(),
            Request::Metrics => self.metrics(),
            Request::Import(chunk) => self.take_import(chunk).await,
            Request::Session(open) => self.open_call_session(&open).await,
            Request::Run(run) => self.run(run).await,
            Request::Fetch(fetch) => self.fetch(fetch).await,
            Request::Close { cursor } => self.close_cursor(cursor).await,
            Request::Outcome(ask) => self.outcome(&ask).await,
            Request::Wait(wait) => self.wait(wait).await,
            Request::Barrier => self.barrier().await,
            Request::Backup(ask) => self.send_backup(ask).await,
        }
    }

    fn node(&self) -> Node {
        Node::of(self.node.clone())
    }

    /// Answers a request that cannot be executed as it came, or closes the stream.
    fn refuse(&mut self, error: &RequestError) -> io::Result<()> {
        match error.failure() {
            Some((code, message)) => self.fail(code, message),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    }

    fn respond(&mut self, response: &Response) -> io::Result<()> {
        response
            .encode(&mut self.out)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn fail(&mut self, code: u64, message: &str) -> io::Result<()> {
        encode_failure(&mut self.out, code, message);
        Ok(())
    }

    fn fail_with(&mut self, error: &Error) -> io::Result<()> {
        self.fail(error.code() as u64, &error.to_string())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.writer.write_all(&self.out).await?;
            self.out.clear();
            if self.out.capacity() > KEPT_BYTES_MAX {
                self.out = BytesMut::new();
            }
        }
        self.writer.flush().await
    }
}
