//! What every backend must do alike.

mod harness;

use std::sync::{Arc, Mutex};

use dqlite_env::Env;
use dqlite_log::{Backend, Entry, EntryKind, Log, OpenError, Options, Vote};
use harness::*;

#[tokio::test]
async fn entries_survive_a_restart() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!(recovered, Default::default());
        assert_eq!((log.backend(), log.durable_index()), (backend, None));
        let mut written = entries(1, 1..=40, 5000);
        written[3].kind = EntryKind::Membership;
        written[4] = Entry { position: at(1, 5), kind: EntryKind::Blank, payload: Vec::new() };
        append(&log, written[..10].to_vec()).await.unwrap();
        append(&log, written[10..].to_vec()).await.unwrap();
        assert_eq!(log.durable_index(), Some(40));
        assert_eq!(flats(&content(&log).await), flats(&written));
        log.close().await;

        let (log, recovered) = open(dir.path(), backend);
        assert_eq!((recovered.first, recovered.last), (Some(at(1, 1)), Some(at(1, 40))));
        assert_eq!(log.durable_index(), Some(40));
        assert_eq!(flats(&content(&log).await), flats(&written), "{backend:?}");
        append(&log, entries(2, 41..=41, 1)).await.unwrap();
        log.close().await;
        let (log, _) = open(dir.path(), backend);
        assert_eq!(content(&log).await.len(), 41);
    }
}

#[tokio::test]
async fn reads_are_bounded_and_give_at_least_one_entry() {
    for backend in backends() {
        for cache_bytes in [0, 64 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let (log, _) = open_with(dir.path(), Options { cache_bytes, ..options(backend) });
            append(&log, entries(1, 1..=20, 1000)).await.unwrap();
            let count = async |indexes, bytes| log.read(indexes, bytes).await.unwrap().len();
            assert_eq!(count(1..21, 0).await, 1);
            assert_eq!(count(1..21, 3500).await, 3);
            assert_eq!(count(18..100, usize::MAX).await, 3);
            assert_eq!(count(21..22, usize::MAX).await, 0);
            assert_eq!(count(0..5, usize::MAX).await, 0);
        }
    }
}

#[tokio::test]
async fn an_entry_larger_than_a_segment_is_kept() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { batch_bytes_max: 8 << 10, ..options(backend) };
        let (log, _) = open_with(dir.path(), options);
        let written: Vec<_> = [10, 300_000, 10, 9000]
            .iter()
            .zip(1..)
            .map(|(bytes, at)| entry(1, at, *bytes))
            .collect();
        append(&log, written.clone()).await.unwrap();
        log.close().await;
        let (log, _) = open(dir.path(), backend);
        assert_eq!(flats(&content(&log).await), flats(&written), "{backend:?}");
    }
}

#[tokio::test]
async fn completions_come_in_the_order_of_the_requests() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) =
            open_with(dir.path(), Options { batch_bytes_max: 8 << 10, ..options(backend) });
        let order = Arc::new(Mutex::new(Vec::new()));
        for number in 0..200_u64 {
            let heard = order.clone();
            let durable = log.clone();
            let done = Box::new(move |result: std::io::Result<()>| {
                result.unwrap();
                let index = number - number / 7;
                assert!(number % 7 == 0 || durable.durable_index().unwrap() >= index);
                heard.lock().unwrap().push(number);
            });
            match number % 7 {
                0 => log.save_vote(Vote { term: number, voted_for: 1, committed: false }, done),
                _ => log.append(vec![entry(1, number - number / 7, 3000)], done),
            }
        }
        barrier(&log).await.unwrap();
        assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>(), "{backend:?}");
        assert_eq!(log.vote().unwrap().term, 196);
    }
}

#[tokio::test]
async fn the_last_vote_stays() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        for term in 1..=5 {
            let vote = Vote { term, voted_for: term * 10, committed: term % 2 == 1 };
            save_vote(&log, vote).await.unwrap();
            assert_eq!(log.vote(), Some(vote));
        }
        let last = log.vote();
        for _ in 0..3 {
            log.close().await;
            let (again, recovered) = open(dir.path(), backend);
            assert_eq!(recovered.vote, last);
            // The segment that is begun now opens with the vote.
            let next = recovered.last.map_or(1, |last| last.index + 1);
            append(&again, vec![entry(9, next, 10)]).await.unwrap();
            again.close().await;
        }
    }
}

#[tokio::test]
async fn a_truncated_tail_does_not_come_back() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        append(&log, entries(1, 1..=30, 4000)).await.unwrap();
        truncate_after(&log, Some(at(1, 12))).await.unwrap();
        assert_eq!((log.state().last, log.durable_index()), (Some(at(1, 12)), Some(12)));
        log.close().await;
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!(recovered.last, Some(at(1, 12)));
        append(&log, entries(2, 13..=14, 100)).await.unwrap();
        log.close().await;
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!(recovered.last, Some(at(2, 14)));
        let mut expected = entries(1, 1..=12, 4000);
        expected.extend(entries(2, 13..=14, 100));
        assert_eq!(flats(&content(&log).await), flats(&expected));
        truncate_after(&log, None).await.unwrap();
        assert_eq!((log.state().last, log.durable_index()), (None, None));
        append(&log, entries(3, 7..=7, 1)).await.unwrap();
        log.close().await;
        assert_eq!(open(dir.path(), backend).1.first, Some(at(3, 7)));
    }
}

/// What was queued and then truncated must not lend its place to what came instead.
#[tokio::test]
async fn truncation_overtakes_what_waits() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open_with(dir.path(), Options { cache_bytes: 0, ..options(backend) });
        let mut waiting = Vec::new();
        for round in 1..=50_u64 {
            let (completion, heard) = done();
            log.append(entries(round, 1..=5, 2000), completion);
            waiting.push(heard);
            let (completion, heard) = done();
            let keep = (round % 3 == 0).then_some(at(round, 2));
            log.truncate_after(keep, completion);
            waiting.push(heard);
            let (completion, heard) = done();
            if keep.is_some() {
                log.truncate_after(None, completion);
            } else {
                log.append(Vec::new(), completion);
            }
            waiting.push(heard);
        }
        let (completion, heard) = done();
        log.append(entries(60, 1..=5, 1500), completion);
        waiting.push(heard);
        for heard in waiting {
            heard.await.unwrap().unwrap();
        }
        assert_eq!(log.durable_index(), Some(5));
        assert_eq!(flats(&content(&log).await), flats(&entries(60, 1..=5, 1500)), "{backend:?}");
        log.close().await;
        let (log, _) = open(dir.path(), backend);
        assert_eq!(flats(&content(&log).await), flats(&entries(60, 1..=5, 1500)));
    }
}

#[tokio::test]
async fn purged_segments_are_used_again_and_stale_bytes_do_not_pass() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        let mut next = 1;
        for _ in 0..20 {
            append(&log, entries(1, next..=next + 19, 5000)).await.unwrap();
            next += 20;
            log.purge(at(1, next - 4));
            barrier(&log).await.unwrap();
        }
        assert!(log.metrics().segments >= 20);
        log.close().await;
        assert!(segment_files(dir.path()).len() < 12, "{:?}", segment_files(dir.path()));
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!(recovered.purged, Some(at(1, next - 4)));
        assert_eq!(
            (recovered.first, recovered.last),
            (Some(at(1, next - 3)), Some(at(1, next - 1)))
        );
        assert_eq!(flats(&content(&log).await), flats(&entries(1, next - 3..=next - 1, 5000)));
    }
}

#[tokio::test]
async fn a_purge_behind_the_end_moves_the_log() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        append(&log, entries(1, 1..=3, 10)).await.unwrap();
        log.purge(at(4, 1000));
        log.wait_durable(1000).await.unwrap();
        append(&log, entries(5, 1001..=1002, 10)).await.unwrap();
        log.purge(at(1, 2));
        barrier(&log).await.unwrap();
        for _ in 0..2 {
            let state = log.state();
            assert_eq!((state.purged, state.first), (Some(at(4, 1000)), Some(at(5, 1001))));
        }
        log.close().await;
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!((recovered.purged, recovered.last), (Some(at(4, 1000)), Some(at(5, 1002))));
        truncate_after(&log, Some(at(4, 1000))).await.unwrap();
        log.close().await;
        let (log, recovered) = open(dir.path(), backend);
        assert_eq!((recovered.first, recovered.last), (None, Some(at(4, 1000))));
        append(&log, entries(6, 1001..=1001, 10)).await.unwrap();
    }
}

#[tokio::test]
async fn the_commit_hint_rides_along() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        append(&log, entries(1, 1..=3, 10)).await.unwrap();
        log.note_committed(at(1, 2));
        append(&log, entries(1, 4..=4, 10)).await.unwrap();
        log.close().await;
        assert_eq!(open(dir.path(), backend).1.committed, Some(at(1, 2)));
    }
}

#[tokio::test]
async fn requests_that_break_the_rules_fail_the_log() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        append(&log, entries(2, 1..=3, 10)).await.unwrap();
        let (completion, before) = done();
        log.append(entries(2, 4..=4, 10), completion);
        assert!(append(&log, entries(2, 6..=6, 10)).await.is_err());
        before.await.unwrap().unwrap();
        assert!(append(&log, entries(2, 5..=5, 10)).await.is_err());
        assert!(save_vote(&log, Vote::default()).await.is_err());
        assert_eq!(log.failed().await.kind(), std::io::ErrorKind::InvalidInput);
        assert!(log.wait_durable(5).await.is_err());
        log.wait_durable(4).await.unwrap();
        log.close().await;
        assert_eq!(open(dir.path(), backend).1.last, Some(at(2, 4)));
    }
}

#[tokio::test]
async fn a_second_log_is_kept_out() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), backend);
        let error = Log::open(&Env::real(), dir.path(), Options::default()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
        log.close().await;
        Log::open(&Env::real(), dir.path(), options(backend)).unwrap();
    }
}

#[tokio::test]
async fn auto_takes_a_device_for_real_files() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), Backend::Auto);
    assert_ne!(log.backend(), Backend::Inline);
    append(&log, entries(1, 1..=1, 10)).await.unwrap();
    let metrics = log.metrics();
    assert_eq!((metrics.flushes, metrics.entries, metrics.segments), (1, 1, 1));
    assert_eq!(metrics.flush_us_classes.iter().sum::<u64>(), 1);
}
