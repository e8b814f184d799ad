//! Random requests, restarts and power losses against a model.
#![allow(clippy::unwrap_used)]

mod harness;

use std::path::Path;
use std::sync::{Arc, Mutex};

use dqlite_env::Blocking;
use dqlite_log::{Backend, Entry, Log, Options, Position, Vote};
use harness::memory::{MemoryFiles, env};
use harness::*;
use proptest::prelude::*;

/// What a log must hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    purged: Option<Position>,
    entries: Vec<Entry>,
    vote: Option<Vote>,
}

#[derive(Clone, Debug)]
enum Step {
    Append { count: u64, bytes: usize, new_term: bool },
    Truncate { keep: usize },
    Purge { count: usize, beyond: u64 },
    Vote,
    Settle,
    Reopen,
    PowerLoss { seed: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..6_u64, 0..6000_usize, any::<bool>())
            .prop_map(|(count, bytes, new_term)| Step::Append { count, bytes, new_term }),
        2 => (0..40_usize).prop_map(|keep| Step::Truncate { keep }),
        2 => (0..30_usize, 0..2_u64).prop_map(|(count, beyond)| Step::Purge { count, beyond }),
        1 => Just(Step::Vote),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(|seed| Step::PowerLoss { seed }),
    ]
}

impl Model {
    fn last(&self) -> Option<Position> {
        self.entries.last().map(|entry| entry.position).or(self.purged)
    }

    async fn of(log: &Log) -> Self {
        let entries = content(log).await;
        Self { purged: log.state().purged, entries, vote: log.vote() }
    }

    fn same(&self, other: &Self) -> bool {
        (self.purged, self.vote) == (other.purged, other.vote)
            && flats(&self.entries) == flats(&other.entries)
    }
}

/// A log, what it must hold after each request, and how many requests were answered.
struct Run {
    files: MemoryFiles,
    options: Options,
    log: Log,
    states: Vec<Model>,
    answered: Arc<Mutex<usize>>,
    term: u64,
}

impl Run {
    fn open(files: MemoryFiles, cache_bytes: usize) -> Self {
        let options = Options {
            segment_bytes: 16 << 10,
            spare_segments: 1,
            cache_bytes,
            batch_bytes_max: 12 << 10,
            inline_flush_delay: std::time::Duration::from_millis(1),
            ..options(Backend::Auto)
        };
        let log = open(&files, &options);
        Self {
            files,
            options,
            log,
            states: vec![Model::default()],
            answered: Arc::default(),
            term: 1,
        }
    }

    fn heard(&self) -> dqlite_log::Completion {
        let (answered, number) = (self.answered.clone(), self.states.len() - 1);
        Box::new(move |result| {
            result.unwrap();
            let mut answered = answered.lock().unwrap();
            assert!(*answered < number, "out of order");
            *answered = number;
        })
    }

    async fn step(&mut self, step: Step) {
        let mut model = self.states.last().unwrap().clone();
        match step {
            Step::Append { count, bytes, new_term } => {
                self.term += u64::from(new_term);
                let next = model.last().map_or(1, |last| last.index + 1);
                let added = entries(self.term, next..=next + count - 1, bytes);
                // A large append is written in several flushes.
                for entry in &added {
                    model.entries.push(entry.clone());
                    self.states.push(model.clone());
                }
                self.log.append(added, self.heard());
            }
            Step::Truncate { keep } => {
                model.entries.truncate(keep);
                let keep = model.last();
                self.states.push(model);
                self.log.truncate_after(keep, self.heard());
            }
            Step::Purge { count, beyond } => {
                let upto = match model.entries.get(count) {
                    Some(entry) if beyond == 0 => entry.position,
                    _ => at(self.term, model.last().map_or(1, |last| last.index + 1)),
                };
                model.entries.retain(|entry| entry.position.index > upto.index);
                model.purged = Some(upto);
                self.states.push(model);
                self.log.purge(upto);
            }
            Step::Vote => {
                self.term += 1;
                let vote = Vote { term: self.term, voted_for: self.term % 3, committed: false };
                model.vote = Some(vote);
                self.states.push(model);
                self.log.save_vote(vote, self.heard());
            }
            Step::Settle => {
                barrier(&self.log).await.unwrap();
                assert!(Model::of(&self.log).await.same(&model));
            }
            Step::Reopen => {
                self.log.close().await;
                self.log = open(&self.files, &self.options);
                assert!(Model::of(&self.log).await.same(&model));
            }
            Step::PowerLoss { seed } => {
                // The writer goes on for some way, to stop in the middle of something.
                tokio::time::sleep(std::time::Duration::from_micros(seed % 3000)).await;
                let answered = *self.answered.lock().unwrap();
                let files = self.files.after_power_loss(seed);
                let log = open(&files, &self.options);
                let found = Model::of(&log).await;
                let possible = self.states[answered..].iter().position(|state| state.same(&found));
                let Some(possible) = possible else {
                    let positions: Vec<_> = found.entries.iter().map(|e| e.position).collect();
                    panic!(
                        "neither state {answered} nor a later one: {:?} {positions:?}",
                        found.vote
                    );
                };
                self.states = vec![self.states[answered + possible].clone()];
                self.answered = Arc::default();
                (self.files, self.log) = (files, log);
            }
        }
    }
}

fn open(files: &MemoryFiles, options: &Options) -> Log {
    let env = env(files, Blocking::Inline, 1);
    Log::open(&env, Path::new("/log"), options.clone()).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_log_holds_what_the_model_holds(
        steps in proptest::collection::vec(step(), 1..60),
        cached in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut run = Run::open(MemoryFiles::default(), if cached { 64 << 20 } else { 0 });
            for step in steps {
                run.step(step).await;
            }
        });
    }
}
