//! Questions to another node over the client protocol, as a joining node has a few.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_env::{Network, Stream};
use dqlite_wire::{Protocol, Request, Response, ResponseContext, limits, read_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Becoming a voter takes as long as catching up with the log.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A leader that has not confirmed its lead by then has none.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream to another node, one question at a time.
#[derive(Debug)]
pub(crate) struct Asking {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Asking {
    /// Connects to the node at `address`.
    pub async fn connect(network: &dyn Network, address: &str) -> io::Result<Self> {
        let mut stream = timeout(CONNECT_TIMEOUT, network.connect(address)).await??;
        stream.write_all(&Protocol::Current.hello()).await?;
        stream.flush().await?;
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&mut self, request: &Request) -> io::Result<Response> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut out = BytesMut::new();
        request.encode(&mut out).map_err(|error| invalid(error.to_string()))?;
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        let answer = async {
            loop {
                let frame = read_frame(&mut self.buffer, limits::BODY_BYTES_MAX)
                    .map_err(|error| invalid(error.to_string()))?;
                if let Some(frame) = frame {
                    return Response::decode(&frame, ResponseContext::default())
                        .map_err(|error| invalid(error.to_string()));
                }
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
        };
        timeout(ANSWER_TIMEOUT, answer).await?
    }

    /// Asks a leader for an index at or above everything that was acknowledged before.
    pub async fn barrier(&mut self) -> io::Result<u64> {
        match timeout(BARRIER_TIMEOUT, self.ask(&Request::Barrier)).await?? {
            Response::Index { index } => Ok(index),
            Response::Failure { code, message } => {
                Err(io::Error::other(format!("{message} (code {code})")))
            }
            other => Err(io::Error::other(format!("an answer out of place: {other:?}"))),
        }
    }

    /// Asks for something that is done or fails.
    pub async fn expect_empty(&mut self, request: &Request) -> io::Result<()> {
        match self.ask(request).await? {
            Response::Empty => Ok(()),
            Response::Failure { code, message } => {
                Err(io::Error::other(format!("{message} (code {code})")))
            }
            other => Err(io::Error::other(format!("an answer out of place: {other:?}"))),
        }
    }
}
