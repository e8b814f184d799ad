//! A stream that was accepted: its handshake is done by whoever reads it first.
//!
//! 1. What is read or written through it has come through TLS, from a client that showed what is
//!    demanded. Before that, and when that fails, nothing is.
//! 2. Whoever is refused is told why before the stream ends: with an alert of TLS, or, if it does
//!    not speak that, with a FAILURE of dqlite's protocol. The stream is read to its end, so that
//!    what was told is not lost to a reset; how long that may take is the reader's business.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use dqlite_env::Stream;
use dqlite_wire::{codes, encode_failure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::{FallibleAccept, TlsStream};

/// The first byte of a TLS client's greeting.
const HANDSHAKE_RECORD: u8 = 0x16;
const REFUSAL: &str = "this node takes TLS connections only";

type Plain = Begun<Box<dyn Stream>>;

/// A stream from somebody who has to prove itself yet.
pub(crate) struct Accepting {
    acceptor: TlsAcceptor,
    state: State,
}

enum State {
    /// Nothing was read yet.
    Silent(Box<dyn Stream>),
    Handshake(Box<FallibleAccept<Plain>>),
    Open(Box<TlsStream<Plain>>),
    /// The other side is told that it is refused (2).
    Refusing(Box<dyn Stream>, Bytes, String),
    /// It was told.
    Draining(Box<dyn Stream>, String),
    Refused(String),
}

impl Accepting {
    pub(crate) fn new(acceptor: TlsAcceptor, stream: Box<dyn Stream>) -> Self {
        Self { acceptor, state: State::Silent(stream) }
    }

    /// Brings the handshake to its end.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut TlsStream<Plain>>> {
        while !matches!(self.state, State::Open(_)) {
            ready!(self.poll_step(cx))?;
        }
        match &mut self.state {
            State::Open(stream) => Poll::Ready(Ok(stream)),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let next = match &mut self.state {
            State::Open(_) => return Poll::Ready(Ok(())),
            State::Silent(stream) => {
                let mut byte = [0; 1];
                let mut buffer = ReadBuf::new(&mut byte);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                match (buffer.filled(), self.take_stream()) {
                    ([HANDSHAKE_RECORD], Some(stream)) => {
                        let begun = Begun { first: Some(HANDSHAKE_RECORD), stream };
                        let accept = self.acceptor.accept(begun).into_fallible();
                        State::Handshake(Box::new(accept))
                    }
                    ([_], Some(stream)) => {
                        let mut answer = BytesMut::new();
                        encode_failure(&mut answer, codes::ERROR, REFUSAL);
                        let reason = "the other side does not speak TLS".to_owned();
                        State::Refusing(stream, answer.freeze(), reason)
                    }
                    _ => State::Refused("the other side said nothing".to_owned()),
                }
            }
            State::Handshake(accept) => match ready!(Pin::new(&mut **accept).poll(cx)) {
                Ok(stream) => State::Open(Box::new(stream)),
                Err((error, begun)) => {
                    State::Draining(begun.stream, format!("TLS handshake: {error}"))
                }
            },
            State::Refusing(stream, answer, reason) => {
                if !answer.is_empty() {
                    let count = ready!(Pin::new(stream).poll_write(cx, answer))?;
                    answer.advance(count);
                    return match count {
                        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                        _ => Poll::Ready(Ok(())),
                    };
                }
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                let reason = std::mem::take(reason);
                match self.take_stream() {
                    Some(stream) => State::Draining(stream, reason),
                    None => State::Refused(reason),
                }
            }
            State::Draining(stream, reason) => {
                let mut bytes = [0; 4096];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = ready!(Pin::new(stream).poll_read(cx, &mut buffer));
                if read.is_ok() && !buffer.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                State::Refused(std::mem::take(reason))
            }
            State::Refused(reason) => {
                let reason = reason.clone();
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
        };
        self.state = next;
        Poll::Ready(Ok(()))
    }

    /// The stream, if it is still plain. What comes of it must be put in its place.
    fn take_stream(&mut self) -> Option<Box<dyn Stream>> {
        match std::mem::replace(&mut self.state, State::Refused(String::new())) {
            State::Silent(stream) | State::Refusing(stream, ..) => Some(stream),
            _ => None,
        }
    }
}

impl fmt::Debug for Accepting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Silent(_) => "Silent",
            State::Handshake(_) => "Handshake",
            State::Open(_) => "Open",
            State::Refusing(..) | State::Draining(..) | State::Refused(_) => "Refused",
        };
        f.debug_tuple("Accepting").field(&state).finish()
    }
}

impl AsyncRead for Accepting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_shutdown(cx)
    }
}

/// A stream whose first byte was read already, and is read again.
#[derive(Debug)]
pub(crate) struct Begun<S> {
    first: Option<u8>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
