//! Writes through the environment's files, from a task.

use std::collections::VecDeque;
use std::time::Duration;

use dqlite_env::Blocking;

use crate::writer::{Flush, Writer};

/// Drives `writer` until its log is closed and everything is answered. Write and sync are two
/// calls with `flush_delay` between them, so that a simulated crash can fall there.
pub async fn run(writer: &mut Writer, blocking: Blocking, flush_delay: Duration) {
    let mut pending = VecDeque::new();
    loop {
        let pool = writer.pool().clone();
        if pool.has_work() {
            let result = blocking.run(move || pool.work_off()).await;
            if let Err(error) = result {
                // It is tried again when a segment is needed.
                tracing::warn!(%error, "cannot prepare a log segment");
            }
        }
        if !writer.shared().collect_task(&mut pending).await && pending.is_empty() {
            return;
        }
        while let Some(flush) = writer.next(&mut pending) {
            let Flush { number, segment, offset, buffer } = flush;
            let file = segment.file.clone();
            let (buffer, written) = blocking
                .run(move || {
                    let written = segment.file.write_all_at(buffer.bytes(), offset);
                    (buffer, written)
                })
                .await;
            let result = match written {
                Err(error) => Err(error),
                Ok(()) => {
                    if !flush_delay.is_zero() {
                        tokio::time::sleep(flush_delay).await;
                    }
                    blocking.run(move || file.sync_data()).await
                }
            };
            writer.complete(number, buffer, result);
            writer.shared().collect(&mut pending, false);
        }
    }
}
