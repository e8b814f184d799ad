//! Frames from a client's stream, one ahead if need be.

use std::io;

use bytes::BytesMut;
use dqlite_env::Stream;
use dqlite_wire::{Frame, read_frame};
use tokio::io::{AsyncReadExt, ReadHalf};

const READ_BYTES: usize = 16 << 10;

/// Buffers that grew beyond this for one message are let go after it.
pub(crate) const KEPT_BYTES_MAX: usize = 1 << 20;

/// A client that has sent more than this behind the next frame is made to wait, and its going away
/// is noticed later.
const BEHIND_BYTES_MAX: usize = 1 << 20;

/// Reads frames. Every wait may be cancelled without losing bytes.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: ReadHalf<Box<dyn Stream>>,
    buffer: BytesMut,
    body_bytes_max: usize,
    ahead: Option<Frame>,
}

impl FrameReader {
    /// Reads from `stream`, after the bytes in `buffer`.
    pub fn new(stream: ReadHalf<Box<dyn Stream>>, buffer: BytesMut, body_bytes_max: usize) -> Self {
        Self { stream, buffer, body_bytes_max, ahead: None }
    }

    /// The next frame; `None` when the client has closed the stream between two frames.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        match self.ahead.take() {
            Some(frame) => Ok(Some(frame)),
            None => self.read().await,
        }
    }

    /// Waits for the frame after the one that is being answered, and keeps it for `next`. With one
    /// kept already, waits for the client to go away, and keeps what it sends until then.
    ///
    /// # Errors
    /// The client went away, or sent what is no frame.
    pub async fn watch(&mut self) -> io::Result<()> {
        if self.ahead.is_none() {
            self.ahead = self.read().await?;
            return self.ahead.as_ref().map(|_| ()).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        while self.buffer.len() < BEHIND_BYTES_MAX {
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        std::future::pending().await
    }

    /// The frame that was looked ahead to.
    pub fn ahead(&self) -> Option<&Frame> {
        self.ahead.as_ref()
    }

    /// Takes the frame that was looked ahead to away.
    pub fn drop_ahead(&mut self) {
        self.ahead = None;
    }

    async fn read(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let frame = read_frame(&mut self.buffer, self.body_bytes_max)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some(frame) = frame {
                if frame.body.len() > KEPT_BYTES_MAX && self.buffer.is_empty() {
                    self.buffer = BytesMut::new(); // It would keep the frame's memory.
                }
                return Ok(Some(frame));
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }
}
