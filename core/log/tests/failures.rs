//! What happens when the disk refuses, or is slow.
#![allow(clippy::unwrap_used)]

mod harness;

use std::path::Path;
use std::sync::{Arc, Mutex};

use dqlite_env::Blocking;
use dqlite_log::{Backend, Log, Options, Recovered, Vote};
use harness::memory::{MemoryFiles, env};
use harness::*;

const DIR: &str = "/log";

fn open(files: &MemoryFiles) -> (Log, Recovered) {
    let options = Options { segment_bytes: 16 << 10, ..options(Backend::Auto) };
    Log::open(&env(files, Blocking::Pool, 1), Path::new(DIR), options).unwrap()
}

/// After the first error nothing is acknowledged, nothing is written, nothing is tried again.
async fn fails_for_good(break_it: impl Fn(&MemoryFiles, bool)) {
    let files = MemoryFiles::default();
    let (log, _) = open(&files);
    append(&log, entries(1, 1..=3, 100)).await.unwrap();
    break_it(&files, true);
    assert!(append(&log, entries(1, 4..=4, 100)).await.is_err());
    break_it(&files, false);
    let counts = files.faults.counts();
    let message = log.failed().await.to_string();
    assert!(message.contains("injected"), "{message}");
    for index in 5..10 {
        assert!(append(&log, entries(1, index..=index, 100)).await.is_err());
    }
    assert!(save_vote(&log, Vote::default()).await.is_err());
    assert!(truncate_after(&log, Some(at(1, 1))).await.is_err());
    assert_eq!(log.wait_durable(8).await.unwrap_err().to_string(), message);
    assert_eq!((log.durable_index(), log.vote()), (Some(1), None));
    assert_eq!(files.faults.counts(), counts, "something was written or synced after the failure");
    log.close().await;
    let (log, recovered) = open(&files);
    assert!(recovered.last >= Some(at(1, 3)) && recovered.last <= Some(at(1, 4)));
    append(&log, entries(2, recovered.last.unwrap().index + 1..=9, 10)).await.unwrap();
    // What was found is durable, though the flush that brought it may have failed.
    for seed in 0..50 {
        assert_eq!(open(&files.after_power_loss(seed)).1.last, Some(at(2, 9)));
    }
}

#[tokio::test]
async fn a_failed_write_fails_the_log() {
    fails_for_good(|files, on| files.faults.fail_writes(on)).await;
}

#[tokio::test]
async fn a_failed_sync_fails_the_log() {
    fails_for_good(|files, on| files.faults.fail_syncs(on)).await;
}

#[tokio::test]
async fn all_that_waits_shares_one_flush() {
    let files = MemoryFiles::default();
    let (log, _) = open(&files);
    files.faults.hold_syncs(true);
    let (completion, first) = done();
    log.append(entries(1, 1..=1, 10), completion);
    let held = files.faults.clone();
    tokio::task::spawn_blocking(move || held.wait_held()).await.unwrap();
    let answered = Arc::new(Mutex::new(0));
    for index in 2..=50 {
        let answered = answered.clone();
        log.append(
            entries(1, index..=index, 10),
            Box::new(move |result| {
                result.unwrap();
                *answered.lock().unwrap() += 1;
            }),
        );
    }
    let early = (log.durable_index(), *answered.lock().unwrap());
    let (_, syncs) = files.faults.counts();
    files.faults.hold_syncs(false);
    assert_eq!(early, (None, 0));
    first.await.unwrap().unwrap();
    log.wait_durable(50).await.unwrap();
    barrier(&log).await.unwrap();
    assert_eq!(files.faults.counts().1, syncs + 1);
    assert_eq!((log.metrics().flushes, *answered.lock().unwrap()), (2, 49));
}

/// Entries that are not durable yet are readable, whatever the cache may hold.
#[tokio::test]
async fn what_is_not_durable_stays_in_memory() {
    let files = MemoryFiles::default();
    let options = Options { cache_bytes: 0, ..options(Backend::Auto) };
    let (log, _) = Log::open(&env(&files, Blocking::Pool, 1), Path::new(DIR), options).unwrap();
    append(&log, entries(1, 1..=5, 1000)).await.unwrap();
    files.faults.hold_syncs(true);
    let (completion, heard) = done();
    log.append(entries(1, 6..=9, 1000), completion);
    let early = content(&log).await;
    files.faults.hold_syncs(false);
    assert_eq!(flats(&early), flats(&entries(1, 1..=9, 1000)));
    heard.await.unwrap().unwrap();
    assert_eq!(flats(&content(&log).await), flats(&entries(1, 1..=9, 1000)));
}

/// A vote counts once it is durable, and only then.
#[tokio::test]
async fn a_vote_is_durable_before_it_is_seen() {
    let files = MemoryFiles::default();
    let (log, _) = open(&files);
    files.faults.hold_syncs(true);
    let vote = Vote { term: 3, voted_for: 2, committed: false };
    let (completion, heard) = done();
    log.save_vote(vote, completion);
    let held = files.faults.clone();
    tokio::task::spawn_blocking(move || held.wait_held()).await.unwrap();
    let early = log.vote();
    files.faults.hold_syncs(false);
    assert_eq!(early, None);
    heard.await.unwrap().unwrap();
    assert_eq!(log.vote(), Some(vote));
    assert_eq!(open(&files.after_power_loss(0)).1.vote, Some(vote));
}
