//! How long a durable append takes on this machine, backend beside backend.
//!
//! `cargo run -p dqlite-log --release --example flush [folder]`. Rounds of all backends alternate,
//! so that a change of the machine's load meets all of them; medians over rounds are printed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dqlite_env::Env;
use dqlite_log::{Backend, Entry, EntryKind, Log, Options, Position};
use tokio::sync::{Mutex, oneshot};

const PAYLOAD_BYTES: usize = 8 << 10;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(700);
const CALLERS: [usize; 2] = [1, 64];

/// One backend under test. The lock hands indexes out in the order of the appends.
struct Subject {
    backend: Backend,
    dir: PathBuf,
    log: Log,
    next: Mutex<u64>,
}

#[derive(Clone, Copy, Default)]
struct Figures {
    appends_per_second: f64,
    median_us: u64,
    p99_us: u64,
    entries_per_flush: f64,
}

impl Subject {
    async fn append(&self, payload: &Bytes) {
        let (heard, hears) = oneshot::channel();
        let mut next = self.next.lock().await;
        let position = Position { term: 1, index: *next };
        *next += 1;
        if position.index > 20_000 && position.index.is_multiple_of(1000) {
            self.log.purge(Position { term: 1, index: position.index - 10_000 });
        }
        let entry = Entry { position, kind: EntryKind::Command, payload: vec![payload.clone()] };
        self.log.append(vec![entry], Box::new(|result| drop(heard.send(result))));
        drop(next);
        assert!(matches!(hears.await, Ok(Ok(()))), "the log has failed");
    }

    async fn round(self: &Arc<Self>, callers: usize, payload: &Bytes) -> Figures {
        let (before, begun) = (self.log.metrics(), Instant::now());
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (subject, payload) = (self.clone(), payload.clone());
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while begun.elapsed() < ROUND {
                        let begun = Instant::now();
                        subject.append(&payload).await;
                        times.push(begun.elapsed().as_micros() as u64);
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap_or_default());
        }
        let (elapsed, after) = (begun.elapsed(), self.log.metrics());
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Figures {
            appends_per_second: times.len() as f64 / elapsed.as_secs_f64(),
            median_us: at(0.5),
            p99_us: at(0.99),
            entries_per_flush: (after.entries - before.entries) as f64
                / (after.flushes - before.flushes).max(1) as f64,
        }
    }
}

fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|one, two| one.partial_cmp(two).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let root: PathBuf = std::env::args().nth(1).map_or_else(|| "target".into(), Into::into);
    let mut subjects = Vec::new();
    for backend in [Backend::Threads, Backend::IoUring, Backend::Inline] {
        let dir = root.join(format!("flush-{backend:?}"));
        // A folder of an earlier run.
        let _ = std::fs::remove_dir_all(&dir);
        match Log::open(&Env::real(), &dir, Options { backend, ..Options::default() }) {
            Ok((log, _)) => {
                subjects.push(Arc::new(Subject { backend, dir, log, next: Mutex::new(1) }))
            }
            Err(error) => println!("{backend:?}: {error}"),
        }
    }
    let payload = Bytes::from(vec![7; PAYLOAD_BYTES]);
    for callers in CALLERS {
        let mut rounds = vec![Vec::new(); subjects.len()];
        for _ in 0..ROUNDS {
            for (subject, rounds) in subjects.iter().zip(&mut rounds) {
                rounds.push(subject.round(callers, &payload).await);
            }
        }
        for (subject, rounds) in subjects.iter().zip(rounds) {
            println!(
                "{callers:>3} callers  {:<8} {:>7.0} appends/s  p50 {:>5} us  p99 {:>6} us  \
                 {:>4.1} entries/flush",
                format!("{:?}", subject.backend),
                median(rounds.iter().map(|round: &Figures| round.appends_per_second).collect()),
                median(rounds.iter().map(|round| round.median_us).collect()),
                median(rounds.iter().map(|round| round.p99_us).collect()),
                median(rounds.iter().map(|round| round.entries_per_flush).collect()),
            );
        }
    }
    for subject in subjects {
        subject.log.close().await;
        let _ = std::fs::remove_dir_all(&subject.dir);
    }
}
