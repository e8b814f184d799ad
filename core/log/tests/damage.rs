//! Torn tails are cut; damage is named.
#![allow(clippy::unwrap_used)]

mod harness;

use std::path::{Path, PathBuf};

use dqlite_env::Blocking;
use dqlite_log::{Backend, Log, OpenError, Options, Recovered, Vote};
use harness::memory::{MemoryFiles, env};
use harness::*;

const DIR: &str = "/log";

fn try_open(files: &MemoryFiles) -> Result<(Log, Recovered), OpenError> {
    let options = Options { segment_bytes: 16 << 10, spare_segments: 1, ..options(Backend::Auto) };
    Log::open(&env(files, Blocking::Inline, 1), Path::new(DIR), options)
}

fn damage(files: &MemoryFiles) -> (String, u64, u64) {
    match try_open(files).unwrap_err() {
        OpenError::Damaged { segment, offset, index, .. } => (segment, offset, index),
        error => panic!("{error}"),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn flip(files: &MemoryFiles, path: &Path, offset: usize) {
    let mut bytes = files.get(path);
    bytes[offset] ^= 0x10;
    files.put(path, bytes);
}

/// One segment: a vote in a batch of its own, then ten entries in batches of one.
async fn short_log() -> (MemoryFiles, PathBuf) {
    let files = MemoryFiles::default();
    let (log, _) = try_open(&files).unwrap();
    save_vote(&log, Vote { term: 1, voted_for: 1, committed: true }).await.unwrap();
    for index in 1..=10 {
        append(&log, entries(1, index..=index, 60)).await.unwrap();
    }
    log.close().await;
    let segment = files.segments()[0].clone();
    (files, segment)
}

/// Three segments of entries, each batch one entry.
async fn long_log() -> MemoryFiles {
    let files = MemoryFiles::default();
    let (log, _) = try_open(&files).unwrap();
    for index in 1..=12 {
        append(&log, entries(1, index..=index, 3000)).await.unwrap();
    }
    log.close().await;
    files
}

/// Block-sized batches begin behind the header block.
fn batch_offset(number: usize) -> usize {
    512 + 512 * number
}

#[tokio::test]
async fn a_log_cut_anywhere_is_a_prefix_of_itself() {
    let (files, segment) = short_log().await;
    let whole = files.get(&segment);
    for length in 0..batch_offset(11) + 8 {
        let cut = files.copy();
        let mut bytes = whole.clone();
        bytes[length..].fill(0);
        if length % 2 == 0 {
            bytes.truncate(length);
        }
        cut.put(&segment, bytes);
        let (log, recovered) = try_open(&cut).unwrap_or_else(|error| panic!("{length}: {error}"));
        let last = recovered.last.map_or(0, |last| last.index);
        let batches = (length.saturating_sub(512) / 512) as u64;
        // A batch is whole once its records are, before its padding.
        assert!(last + 1 == batches || last == batches || (last, batches) == (0, 0), "{length}");
        assert_eq!(recovered.vote.is_some(), last > 0 || recovered.vote.is_some());
        assert_eq!(flats(&content(&log).await), flats(&entries(1, 1..=last, 60)));
        let next = last + 1;
        append(&log, entries(2, next..=next, 10)).await.unwrap();
        log.close().await;
        let (_, again) = try_open(&cut).unwrap();
        assert_eq!(again.last, Some(at(2, next)), "{length}");
    }
}

#[tokio::test]
async fn a_bad_batch_with_nothing_behind_it_is_a_torn_tail() {
    let (files, segment) = short_log().await;
    for offset in batch_offset(10)..batch_offset(10) + 56 + 32 + 60 {
        let torn = files.copy();
        flip(&torn, &segment, offset);
        let (_, recovered) = try_open(&torn).unwrap();
        assert_eq!(recovered.last, Some(at(1, 9)), "{offset}");
    }
    flip(&files, &segment, batch_offset(10) + 100);
    assert_eq!(try_open(&files).unwrap().1.torn_bytes, 56 + 32 + 64);
}

#[tokio::test]
async fn a_bad_batch_before_the_tail_is_named() {
    let (files, segment) = short_log().await;
    for number in 0..10 {
        for byte in [0, 5, 9, 17, 25, 33, 60, 90] {
            let bad = files.copy();
            flip(&bad, &segment, batch_offset(number) + byte);
            let index = number.saturating_sub(1) as u64;
            let index = if number < 2 { 0 } else { index + 1 };
            assert_eq!(damage(&bad), (name(&segment), batch_offset(number) as u64, index));
        }
    }
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_named() {
    let files = long_log().await;
    let segments = files.segments();
    assert!(segments.len() >= 3);
    // Each segment holds four batches of seven blocks, the last of its kind before the next file.
    for (number, index) in [(1, 2), (2, 3), (3, 4)] {
        let bad = files.copy();
        let offset = 512 + number * 7 * 512;
        flip(&bad, &segments[0], offset + 700);
        assert_eq!(damage(&bad), (name(&segments[0]), offset as u64, index));
    }
    let bad = files.copy();
    flip(&bad, &segments[1], 512 + 30);
    assert_eq!(damage(&bad), (name(&segments[1]), 512, 5));
    let bad = files.copy();
    flip(&bad, &segments[1], 20);
    assert_eq!(damage(&bad), (name(&segments[1]), 0, 5));
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let files = long_log().await;
    let segments = files.segments();
    let middle = files.copy();
    dqlite_env::FileSystem::remove(&middle, &segments[1]).unwrap();
    assert_eq!((damage(&middle).0, damage(&middle).2), (name(&segments[0]), 5));
    let first = files.copy();
    dqlite_env::FileSystem::remove(&first, &segments[0]).unwrap();
    assert_eq!(damage(&first), (name(&segments[1]), 0, 0));
}

/// What is purged may be missing or bad.
#[tokio::test]
async fn damage_below_the_purged_position_does_no_harm() {
    let files = long_log().await;
    let (log, _) = try_open(&files).unwrap();
    append(&log, entries(1, 13..=13, 10)).await.unwrap();
    let before = files.copy();
    log.purge(at(1, 9));
    barrier(&log).await.unwrap();
    log.close().await;
    // The first segment comes back, as if its removal had been lost, and bad.
    let segment = before.segments()[0].clone();
    files.put(&segment, before.get(&segment));
    flip(&files, &segment, 5000);
    let (log, recovered) = try_open(&files).unwrap();
    assert_eq!((recovered.first, recovered.last), (Some(at(1, 10)), Some(at(1, 13))));
    assert_eq!(content(&log).await.len(), 4);
}

#[tokio::test]
async fn spares_are_no_damage_and_are_used_again() {
    let files = MemoryFiles::default();
    for _ in 0..10 {
        let (log, recovered) = try_open(&files).unwrap();
        assert_eq!(recovered, Recovered::default());
        log.close().await;
    }
    assert!(files.segments().len() <= 3, "{:?}", files.segments());
}

#[tokio::test]
async fn another_version_is_refused() {
    let (files, segment) = short_log().await;
    let mut bytes = files.get(&segment);
    bytes[8] = 2;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes[..32]) as u32;
    bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    files.put(&segment, bytes);
    let error = try_open(&files).unwrap_err();
    assert!(matches!(error, OpenError::Version { version: 2, .. }), "{error}");
}

#[tokio::test]
async fn an_entry_that_went_bad_is_not_given_out() {
    let (files, segment) = short_log().await;
    let (log, _) = try_open(&files).unwrap();
    let mut bytes = files.get(&segment);
    bytes[batch_offset(4) + 56 + 32 + 7] ^= 1;
    let file =
        dqlite_env::FileSystem::open(&files, &segment, dqlite_env::OpenMode::Existing).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let error = log.read(1..11, usize::MAX).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("entry 4"), "{error}");
    assert_eq!(log.read(5..11, usize::MAX).await.unwrap().len(), 6);
}
