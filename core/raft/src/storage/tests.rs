use std::sync::Arc;

use dqlite_env::Env;
use openraft::StorageError;
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorageExt;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::*;
use crate::growth::Growth;
use crate::machine::Replica;
use crate::testing::Nothing;

struct Builder;

async fn open(dir: &TempDir) -> Storage {
    let (log, recovered) =
        Log::open(&Env::real(), &dir.path().join("log"), dqlite_log::Options::default()).unwrap();
    Storage::new(log, &recovered)
}

impl StoreBuilder<TypeConfig, Storage, Replica, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Storage, Replica), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let storage = open(&dir).await;
        let growth = Arc::new(Growth::new(u64::MAX, u64::MAX));
        let machine = Arc::new(Nothing::default());
        let replica =
            Replica::open(Env::real(), dir.path().to_owned(), machine, growth).await.unwrap();
        Ok((dir, storage, replica))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openraft_finds_nothing_wrong() {
    Suite::<TypeConfig, Storage, Replica, Builder, TempDir>::test_all(Builder).await.unwrap();
}

fn entry(term: u64, index: u64, payload: EntryPayload) -> Entry {
    Entry::new(log_id(dqlite_engine::Position { term, index }), payload)
}

/// A batch's worth of bytes, but never nothing.
#[tokio::test(flavor = "multi_thread")]
async fn reads_for_another_node_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut storage = open(&dir).await;
    let command = |bytes| EntryPayload::Normal(Command(vec![vec![7; bytes].into()]));
    let sizes = [2 << 20, 300_000, 300_000, 300_000, 300_000, 10];
    let entries: Vec<_> =
        sizes.into_iter().zip(1..).map(|(bytes, index)| entry(1, index, command(bytes))).collect();
    storage.blocking_append(entries).await.unwrap();
    let mut counts = Vec::new();
    for start in 0..6 {
        counts.push(storage.limited_get_log_entries(start, 6).await.unwrap().len());
    }
    assert_eq!(counts, [1, 3, 4, 3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_position_beyond_the_log_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir).await.log;
    let position = |index| Some(dqlite_log::Position { term: 1, index });
    let recovered = |committed, last| Recovered {
        committed: position(committed),
        last: position(last),
        ..Recovered::default()
    };
    let committed =
        |committed, last| Storage::new(log.clone(), &recovered(committed, last)).committed;
    assert_eq!(committed(5, 3), position(3).map(of_log));
    assert_eq!(committed(2, 3), position(2).map(of_log));
}
