//! A connection between two nodes: frames out, frames in.

use std::io;

use bytes::{Bytes, BytesMut};
use dqlite_env::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::codec::{Answer, Frame, Hello, Outgoing, Request, parse_frame};

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub reader: FrameReader,
    pub writer: FrameWriter,
}

/// The incoming direction.
#[derive(Debug)]
pub(crate) struct FrameReader {
    half: ReadHalf<Box<dyn Stream>>,
    buffer: BytesMut,
}

/// The outgoing direction.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    half: WriteHalf<Box<dyn Stream>>,
    unflushed: bool,
}

impl Connection {
    /// Wraps a stream of which `buffer` has been read already.
    pub(crate) fn new(stream: Box<dyn Stream>, buffer: BytesMut) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader: FrameReader { half: reader, buffer },
            writer: FrameWriter { half: writer, unflushed: false },
        }
    }

    /// Wraps a new stream and introduces this node on it.
    pub(crate) async fn greet(stream: Box<dyn Stream>, hello: &Hello) -> io::Result<Self> {
        let mut connection = Self::new(stream, BytesMut::new());
        connection.writer.write_all(hello.encode().into()).await?;
        Ok(connection)
    }

    /// One request, one answer.
    pub(crate) async fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        self.writer.write_all(request.encode()).await?;
        let frame = self.reader.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Answer::decode(frame)?)
    }
}

impl FrameReader {
    /// The next frame; `None` when the other side has finished. Nothing is lost when the future is
    /// dropped.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = parse_frame(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Exactly `count` bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> io::Result<Bytes> {
        while self.buffer.len() < count {
            self.buffer.reserve(count);
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.split_to(count).freeze())
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.half.read_buf(&mut self.buffer).await? > 0)
    }
}

impl FrameWriter {
    /// Whether bytes still have to leave.
    pub(crate) fn is_due(&self, outgoing: &Outgoing) -> bool {
        !outgoing.is_empty() || self.unflushed
    }

    /// Writes as much of `outgoing` as the stream takes at once, and flushes behind the last of
    /// it. Nothing is lost or sent twice when the future is dropped.
    pub(crate) async fn write_some(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        if outgoing.is_empty() {
            self.half.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        let count = self.half.write_vectored(&outgoing.slices()).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.unflushed = true;
        outgoing.advance(count);
        Ok(())
    }

    /// Writes and flushes all of `outgoing`.
    pub(crate) async fn write_all(&mut self, mut outgoing: Outgoing) -> io::Result<()> {
        while self.is_due(&outgoing) {
            self.write_some(&mut outgoing).await?;
        }
        Ok(())
    }
}
