//! The loop over a device, with a device that ends flushes in any order.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use bytes::Bytes;
use dqlite_env::Env;

use super::{Alignment, Device, Ended};
use crate::entry::{Entry, EntryKind, Position};
use crate::log::Log;
use crate::open::{Driver, read, start};
use crate::options::{Backend, Options};
use crate::writer::Flush;

/// Ends the newest flush first. The second one fails if `fail` is set.
struct Backwards {
    begin: mpsc::Receiver<()>,
    fail: bool,
    flushes: Vec<Flush>,
}

impl Device for Backwards {
    fn depth(&self) -> usize {
        4
    }

    fn submit(&mut self, flush: Flush) {
        if flush.number == 1 {
            self.begin.recv().unwrap();
        }
        // A segment is begun only when the one before is durable.
        let sequence = flush.segment.header.sequence;
        assert!(self.flushes.iter().all(|other| other.segment.header.sequence == sequence));
        flush.segment.file.write_all_at(flush.buffer.bytes(), flush.offset).unwrap();
        self.flushes.push(flush);
    }

    fn wait(&mut self) -> Ended {
        let Flush { number, buffer, .. } = self.flushes.pop().unwrap();
        let failed = self.fail && number == 2;
        let result = if failed { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) };
        Ended { number, buffer, result }
    }
}

fn entry(index: u64) -> Entry {
    let payload = vec![Bytes::from(vec![index as u8; 3000])];
    Entry { position: Position { term: 1, index }, kind: EntryKind::Command, payload }
}

/// Eight appends, each too large to share a batch: what each one heard, in the order of hearing.
fn run(fail: bool) -> Vec<(u64, bool)> {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::real();
    let options = Options { batch_bytes_max: 4096, segment_bytes: 32 << 10, ..Options::default() };
    let ground = read(&env, dir.path(), &options, Alignment::CACHED, None).unwrap();
    let (release, begin) = mpsc::channel();
    let device = Box::new(Backwards { begin, fail, flushes: Vec::new() });
    let driver = Driver::Device(Backend::Threads, device);
    let (log, _) = Log::around(&env, start(&env, ground, driver, &options).unwrap());
    let (heard, hears) = mpsc::channel();
    for index in 1..=8 {
        let heard = heard.clone();
        let done = move |result: std::io::Result<()>| heard.send((index, result.is_ok())).unwrap();
        log.append(vec![entry(index)], Box::new(done));
    }
    drop(heard);
    release.send(()).unwrap();
    hears.iter().collect()
}

#[test]
fn completions_keep_the_order_whatever_the_device_does() {
    assert_eq!(run(false), (1..=8).map(|index| (index, true)).collect::<Vec<_>>());
}

#[test]
fn nothing_behind_a_failed_flush_is_acknowledged() {
    assert_eq!(run(true), (1..=8).map(|index| (index, index == 1)).collect::<Vec<_>>());
}
