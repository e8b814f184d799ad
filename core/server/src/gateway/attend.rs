//! Waiting for a statement and for the client at once.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use dqlite_wire::RequestType;
use tokio::sync::Notify;

use super::frames::FrameReader;

/// An interrupt that came just before the statement began has no effect, so it is repeated.
const INTERRUPT_EVERY: Duration = Duration::from_millis(10);

/// What came of the wait.
pub(super) struct Attended<T> {
    pub value: T,
    /// The client asked to stop. Its INTERRUPT was taken from the stream.
    pub interrupted: bool,
}

/// Waits for `work`, which `interrupt` can stop, while looking one frame ahead.
///
/// # Errors
/// The client went away, or sent what is no frame: `work` is dropped.
pub(super) async fn attend<T>(
    reader: &mut FrameReader,
    interrupt: impl Fn(),
    work: impl Future<Output = T>,
) -> io::Result<Attended<T>> {
    let mut work = pin!(work);
    let mut interrupted = false;
    loop {
        tokio::select! {
            biased;
            value = &mut work => return Ok(Attended { value, interrupted }),
            watched = reader.watch() => {
                watched?;
                let kind = reader.ahead().map(|frame| frame.kind);
                if !interrupted && kind == Some(RequestType::Interrupt.number()) {
                    reader.drop_ahead();
                    interrupted = true;
                }
            }
            () = tokio::time::sleep(INTERRUPT_EVERY), if interrupted => {}
        }
        if interrupted {
            interrupt();
        }
    }
}

/// Waits for `work`, which is dropped when the client asks to stop, and gives nothing then.
///
/// # Errors
/// Those of [`attend`].
pub(super) async fn attend_or_stop<T>(
    reader: &mut FrameReader,
    work: impl Future<Output = T>,
) -> io::Result<Attended<Option<T>>> {
    let stop = Notify::new();
    let work = async {
        tokio::select! {
            biased;
            value = work => Some(value),
            () = stop.notified() => None,
        }
    };
    attend(reader, || stop.notify_one(), work).await
}
