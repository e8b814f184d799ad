//! Appends on their way to one node, several at a time.
//!
//! 1. At most `window` appends are unanswered: what is committed meanwhile gathers into fewer and
//!    larger ones.
//! 2. Answers are yielded in the order of the requests: the stream is ordered, and so is the
//!    other side.
//! 3. The stream of answers ends when the input has ended and every answer is in, never because
//!    the other side went silent.
//! 4. A connection is kept for the next stream only when nothing is unanswered on it.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::errors::RPCError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use tokio::time::{Instant, Sleep};

use super::PeerContext;
use super::connection::Connection;
use super::peer::{broken, unreachable};
use crate::codec::{Answer, Outgoing, Request};
use crate::types::TypeConfig;

/// One stream of appends, all in the future that is polled for answers: to drop it ends all.
pub(super) struct Pipeline<'s, S> {
    connection: Connection,
    /// The other side has answered on this connection.
    proven: bool,
    slot: &'s mut Option<Connection>,
    input: Option<S>,
    outgoing: Outgoing,
    unanswered: usize,
    window: usize,
    timeout: Duration,
    /// By when the next answer must be in. Moved lazily: `alarm` may ring too early.
    deadline: Instant,
    alarm: Pin<Box<Sleep>>,
}

enum Event {
    Answer(io::Result<Answer>),
    Written(io::Result<()>),
    Request(Option<AppendEntriesRequest<TypeConfig>>),
    Alarm,
}

type Item = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

impl<'s, S> Pipeline<'s, S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin,
{
    pub(super) fn new(
        connection: Connection,
        proven: bool,
        slot: &'s mut Option<Connection>,
        first: AppendEntriesRequest<TypeConfig>,
        input: S,
        context: &PeerContext,
    ) -> Self {
        let deadline = Instant::now() + context.append_timeout;
        Self {
            connection,
            proven,
            slot,
            input: Some(input),
            outgoing: Request::Append(first).encode(),
            unanswered: 1,
            window: context.append_window,
            timeout: context.append_timeout,
            deadline,
            alarm: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    /// The next answer, and the rest of the stream unless it ends with this one.
    pub(super) async fn next(pipeline: Option<Self>) -> Option<(Item, Option<Self>)> {
        let mut this = pipeline?;
        loop {
            if this.input.is_none() && this.unanswered == 0 {
                *this.slot = Some(this.connection); // (3), (4)
                return None;
            }
            match this.event().await {
                Event::Answer(Ok(Answer::Append(answer))) if this.unanswered > 0 => {
                    this.unanswered -= 1;
                    this.proven = true;
                    this.deadline = Instant::now() + this.timeout;
                    let result = StreamAppendResult::from(answer);
                    let rest = result.is_ok().then_some(this);
                    return Some((Ok(result), rest));
                }
                Event::Answer(Ok(_)) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "unasked answer");
                    return Some((Err(broken(&error)), None));
                }
                Event::Answer(Err(error)) | Event::Written(Err(error)) => {
                    let error = if this.proven { broken(&error) } else { unreachable(&error) };
                    return Some((Err(error), None));
                }
                Event::Written(Ok(())) => {}
                Event::Request(Some(request)) => {
                    if this.unanswered == 0 {
                        this.deadline = Instant::now() + this.timeout;
                    }
                    this.unanswered += 1;
                    this.outgoing.append(Request::Append(request).encode());
                }
                Event::Request(None) => this.input = None,
                Event::Alarm if Instant::now() >= this.deadline => {
                    let error = unreachable(&io::ErrorKind::TimedOut.into());
                    return Some((Err(error), None));
                }
                Event::Alarm => this.alarm.as_mut().reset(this.deadline),
            }
        }
    }

    /// What happens next. Every branch may be dropped half way without losing anything.
    async fn event(&mut self) -> Event {
        let Connection { reader, writer } = &mut self.connection;
        let room = self.outgoing.is_empty() && self.unanswered < self.window; // (1)
        tokio::select! {
            biased;
            frame = reader.next() => Event::Answer(match frame {
                Ok(Some(frame)) => Answer::decode(frame).map_err(io::Error::from),
                Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => Err(error),
            }),
            written = writer.write_some(&mut self.outgoing), if writer.is_due(&self.outgoing) => {
                Event::Written(written)
            }
            request = next_of(&mut self.input), if room && self.input.is_some() => {
                Event::Request(request)
            }
            () = self.alarm.as_mut(), if self.unanswered > 0 => Event::Alarm,
        }
    }
}

async fn next_of<S: Stream + Unpin>(input: &mut Option<S>) -> Option<S::Item> {
    match input {
        Some(input) => input.next().await,
        None => None,
    }
}
