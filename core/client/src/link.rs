//! One stream to one node: requests out, answers in.
//!
//! 1. Between the first byte of a request and the last of its answer the link is `Waiting`. A
//!    caller that is cancelled there leaves it so, and it is never used again: what comes next on
//!    the stream would be taken for the answer to something else.
//! 2. Between two frames of a result it is `Streaming`. Waiting for a frame may be cancelled: what
//!    was read stays in the buffer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use dqlite_env::{Network, Stream};
use dqlite_wire::{
    EncodeError, Frame, Protocol, Request, Response, ResponseContext, call, codes, limits,
    read_frame,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::fault::Fault;

/// How long an answer may take once the node was asked to stop because the time is over.
const GRACE: Duration = Duration::from_millis(300);

/// Buffers that grew beyond this for one message are let go after it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// To round with.
const HALF_A_MILLISECOND: Duration = Duration::from_micros(500);

/// How much is read at once at least, in bytes.
const READ_BYTES: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The next request may be sent.
    Idle,
    /// A request is being sent or its answer is awaited (1).
    Waiting,
    /// Frames of a result follow (2).
    Streaming,
}

/// A stream to one node, whose greeting is said.
#[derive(Debug)]
pub struct Link {
    address: String,
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    phase: Phase,
}

impl Link {
    /// Dials `address`. The greeting goes out with the first request.
    ///
    /// # Errors
    /// The node cannot be reached in time.
    pub async fn connect(
        network: &dyn Network,
        address: &str,
        deadline: Instant,
    ) -> Result<Self, Fault> {
        let stream = match timeout_at(deadline, network.connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Fault::Unsent(error.to_string())),
            Err(_) => return Err(Fault::TimedOut { sent: false }),
        };
        let mut output = BytesMut::new();
        output.extend_from_slice(&Protocol::Current.hello());
        let address = address.to_owned();
        Ok(Self { address, stream, input: BytesMut::new(), output, phase: Phase::Idle })
    }

    /// The node's address, as it was dialled.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Whether the link waits for a request and the node has not closed it.
    pub(crate) fn is_fit(&mut self) -> bool {
        if self.phase != Phase::Idle || !self.input.is_empty() {
            return false;
        }
        let (mut byte, mut context) = ([0; 1], Context::from_waker(Waker::noop()));
        let mut buffer = ReadBuf::new(&mut byte);
        matches!(Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer), Poll::Pending)
    }

    /// Sends one request and reads its one answer.
    pub(crate) async fn call(
        &mut self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Response, Fault> {
        self.send(|out| request.encode(out), deadline).await?;
        let body_bytes_max = match request {
            Request::Dump { .. } => limits::BODY_BYTES_ENCODABLE_MAX,
            _ => limits::BODY_BYTES_MAX,
        };
        let frame = self.receive_up_to(body_bytes_max, deadline).await?;
        self.finish(&frame)
    }

    /// What became of a commit; asked of a leader. No session is needed, and the one that may have
    /// made the commit ends.
    ///
    /// # Errors
    /// The node does not lead, or there is no answer in time.
    pub async fn outcome(
        &mut self,
        ask: &call::AskOutcome,
        deadline: Instant,
    ) -> Result<call::Outcome, Fault> {
        match self.call(&Request::Outcome(ask.clone()), deadline).await? {
            Response::Outcome(outcome) => Ok(outcome),
            other => {
                self.give_up();
                Err(unexpected(&other))
            }
        }
    }

    /// Sends one request and reads its one answer, unless `cancelled` resolves first or the time is
    /// over: then the node is asked to stop, and both answers are awaited, that to the request and
    /// that to the INTERRUPT.
    pub(crate) async fn exchange(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
        cancelled: impl Future<Output = ()>,
        deadline: Instant,
    ) -> Result<Response, Fault> {
        let started = Instant::now();
        self.send(encode, deadline).await?;
        let received = tokio::select! {
            biased;
            received = self.receive(deadline) => received,
            () = cancelled => return self.stop(deadline + GRACE).await,
        };
        match received {
            Ok(frame) => self.finish(&frame),
            Err(Fault::TimedOut { .. }) => {
                let timed_out = |message: String| {
                    let own = message == codes::messages::INTERRUPTED;
                    let allowed = deadline.saturating_duration_since(started);
                    let elapsed_ms = (allowed + HALF_A_MILLISECOND).as_millis();
                    if own { format!("timed out after {elapsed_ms} ms") } else { message }
                };
                self.stop(Instant::now() + GRACE).await.map_err(|fault| match fault {
                    Fault::Refused { code: code @ codes::INTERRUPT, message } => {
                        Fault::Refused { code, message: timed_out(message) }
                    }
                    other => other,
                })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Asks the node to stop what it does, and reads both answers. Without the second the link
    /// stays `Waiting`.
    async fn stop(&mut self, deadline: Instant) -> Result<Response, Fault> {
        // The request itself was sent whole before.
        let sent = |fault| match fault {
            Fault::Unsent(reason) => Fault::Lost(reason),
            Fault::TimedOut { .. } => Fault::TimedOut { sent: true },
            other => other,
        };
        self.send_between(&Request::Interrupt { database: 0 }, deadline).await.map_err(sent)?;
        let frame = self.receive(deadline).await?;
        let answer = self.finish(&frame);
        self.give_up();
        if let Ok(frame) = self.receive(deadline).await
            && let Ok(Response::Empty) = Response::decode(&frame, ResponseContext::default())
        {
            self.phase = Phase::Idle;
        }
        answer
    }

    /// The stream makes no sense: it is not used again.
    pub(crate) fn give_up(&mut self) {
        self.phase = Phase::Waiting;
    }

    /// Sends the request that `encode` writes. The link is `Waiting` from here on.
    pub(crate) async fn send(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
        deadline: Instant,
    ) -> Result<(), Fault> {
        if self.phase != Phase::Idle {
            return Err(Fault::Unsent("an earlier request was abandoned midway".to_owned()));
        }
        encode(&mut self.output)?;
        self.phase = Phase::Waiting; // (1)
        self.write(deadline).await
    }

    /// Writes what was encoded.
    async fn write(&mut self, deadline: Instant) -> Result<(), Fault> {
        let written = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match timeout_at(deadline, written).await {
            Ok(Ok(())) if self.output.capacity() > KEPT_BYTES_MAX => self.output = BytesMut::new(),
            Ok(Ok(())) => self.output.clear(),
            Ok(Err(error)) => return Err(Fault::Unsent(error.to_string())),
            Err(_) => return Err(Fault::TimedOut { sent: false }),
        }
        Ok(())
    }

    /// Puts a request behind the one whose answer is still coming.
    pub(crate) async fn send_between(
        &mut self,
        request: &Request,
        deadline: Instant,
    ) -> Result<(), Fault> {
        request.encode(&mut self.output)?;
        self.write(deadline).await
    }

    /// Reads the next frame. May be cancelled (2).
    pub(crate) async fn receive(&mut self, deadline: Instant) -> Result<Frame, Fault> {
        self.receive_up_to(limits::BODY_BYTES_MAX, deadline).await
    }

    async fn receive_up_to(
        &mut self,
        body_bytes_max: usize,
        deadline: Instant,
    ) -> Result<Frame, Fault> {
        loop {
            let frame = read_frame(&mut self.input, body_bytes_max)
                .map_err(|error| Fault::Garbled(error.to_string()))?;
            if let Some(frame) = frame {
                if frame.body.len() > KEPT_BYTES_MAX && self.input.is_empty() {
                    self.input = BytesMut::new(); // It would keep the frame's memory.
                }
                return Ok(frame);
            }
            self.input.reserve(READ_BYTES);
            match timeout_at(deadline, self.stream.read_buf(&mut self.input)).await {
                Ok(Ok(0)) => return Err(Fault::Lost("the node closed it".to_owned())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Fault::Lost(error.to_string())),
                Err(_) => return Err(Fault::TimedOut { sent: true }),
            }
        }
    }

    /// Takes a frame for the last of the answer. What it cannot understand leaves the link unfit.
    pub(crate) fn finish(&mut self, frame: &Frame) -> Result<Response, Fault> {
        match Response::decode(frame, ResponseContext::default()) {
            Ok(Response::Failure { code, message }) => {
                self.phase = Phase::Idle;
                Err(Fault::Refused { code, message: message.to_string() })
            }
            Ok(response) => {
                self.phase = Phase::Idle;
                Ok(response)
            }
            Err(error) => Err(Fault::Garbled(error.to_string())),
        }
    }
}

/// The fault of an answer that does not belong to the request.
pub(crate) fn unexpected(response: &Response) -> Fault {
    Fault::Garbled(format!("{:?} does not answer the request", response.response_type()))
}
