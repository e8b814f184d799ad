//! What the tests of the log share.
// Each test file uses a part of this.
#![allow(dead_code, clippy::unwrap_used)]

pub mod memory;

use std::io;
use std::path::Path;

use bytes::Bytes;
use dqlite_env::Env;
use dqlite_log::{
    Backend, Completion, Entry, EntryKind, Log, OpenError, Options, Position, Recovered, Vote,
};
use tokio::sync::oneshot;

/// All backends that work on this machine.
pub fn backends() -> Vec<Backend> {
    let mut backends = vec![Backend::Threads, Backend::Inline];
    let dir = tempfile::tempdir().unwrap();
    match Log::open(&Env::real(), dir.path(), options(Backend::IoUring)) {
        Ok(_) => backends.push(Backend::IoUring),
        Err(error) => eprintln!("not tested: {error}"),
    }
    backends
}

/// Small segments, so that there are many.
pub fn options(backend: Backend) -> Options {
    Options { segment_bytes: 64 << 10, backend, ..Options::default() }
}

pub fn open(dir: &Path, backend: Backend) -> (Log, Recovered) {
    open_with(dir, options(backend))
}

pub fn open_with(dir: &Path, options: Options) -> (Log, Recovered) {
    Log::open(&Env::real(), dir, options).unwrap()
}

pub fn try_open(dir: &Path) -> Result<(Log, Recovered), OpenError> {
    Log::open(&Env::real(), dir, options(Backend::Inline))
}

pub fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

/// An entry with a payload that tells it from all others, in two parts.
pub fn entry(term: u64, index: u64, payload_bytes: usize) -> Entry {
    let seed = (term * 31 + index) as u8;
    let payload: Bytes = (0..payload_bytes).map(|at| seed.wrapping_add(at as u8)).collect();
    let middle = payload_bytes / 3;
    Entry {
        position: at(term, index),
        kind: EntryKind::Command,
        payload: vec![payload.slice(..middle), payload.slice(middle..)],
    }
}

pub fn entries(term: u64, indexes: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Entry> {
    indexes.map(|index| entry(term, index, bytes)).collect()
}

/// An entry in a form that can be compared.
pub fn flat(entry: &Entry) -> (Position, EntryKind, Vec<u8>) {
    (entry.position, entry.kind, entry.payload.concat())
}

pub fn flats(entries: &[Entry]) -> Vec<(Position, EntryKind, Vec<u8>)> {
    entries.iter().map(flat).collect()
}

/// A completion and what it will hear.
pub fn done() -> (Completion, oneshot::Receiver<io::Result<()>>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(move |result| drop(sender.send(result))), receiver)
}

pub async fn append(log: &Log, entries: Vec<Entry>) -> io::Result<()> {
    let (completion, heard) = done();
    log.append(entries, completion);
    heard.await.unwrap()
}

pub async fn save_vote(log: &Log, vote: Vote) -> io::Result<()> {
    let (completion, heard) = done();
    log.save_vote(vote, completion);
    heard.await.unwrap()
}

pub async fn truncate_after(log: &Log, keep: Option<Position>) -> io::Result<()> {
    let (completion, heard) = done();
    log.truncate_after(keep, completion);
    heard.await.unwrap()
}

/// Waits until everything that was requested is on disk.
pub async fn barrier(log: &Log) -> io::Result<()> {
    append(log, Vec::new()).await
}

/// Everything the log holds.
pub async fn content(log: &Log) -> Vec<Entry> {
    let state = log.state();
    let (Some(first), Some(last)) = (state.first, state.last) else {
        return Vec::new();
    };
    log.read(first.index..last.index + 1, usize::MAX).await.unwrap()
}

pub fn segment_files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("segment-"))
        .collect();
    names.sort_unstable();
    names
}
