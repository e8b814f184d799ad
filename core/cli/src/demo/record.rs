//! What one client was told, transaction by transaction.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dqlite_client::{Error, Outcome};

/// Ids of one client's transactions begin at its number times this.
const IDS_A_CLIENT: i64 = 1_000_000_000;

/// One client's memory.
#[derive(Debug)]
pub struct Record {
    next_id: i64,
    /// Told to have succeeded.
    pub acknowledged: Vec<i64>,
    /// Told to have failed, with no effect.
    pub refused: Vec<i64>,
    /// Told that it is not known.
    pub unknown: Vec<i64>,
    /// Reads that were answered.
    pub reads: u64,
    /// Answers that cannot be right.
    pub wrong: Vec<String>,
    /// The errors that came, counted.
    pub errors: BTreeMap<String, u64>,
    /// The longest time from one answer to the next.
    pub pause_max: Duration,
    last_answer: Instant,
}

impl Record {
    /// The empty memory of the client `number`.
    pub fn new(number: u32) -> Self {
        Self {
            next_id: i64::from(number) * IDS_A_CLIENT,
            acknowledged: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            reads: 0,
            wrong: Vec::new(),
            errors: BTreeMap::new(),
            pause_max: Duration::ZERO,
            last_answer: Instant::now(),
        }
    }

    /// An id that was never used: odd for a single insert, even for a move.
    pub fn id_of_insert(&mut self) -> i64 {
        self.next_id += 2;
        self.next_id - 1
    }

    /// An id that was never used: odd for a single insert, even for a move.
    pub fn id_of_move(&mut self) -> i64 {
        self.next_id += 2;
        self.next_id
    }

    /// Notes how the transaction `id` ended. True if it was acknowledged.
    pub fn settle<T>(&mut self, id: i64, outcome: Result<T, Error>) -> bool {
        match outcome {
            Ok(_) => {
                self.answered();
                self.acknowledged.push(id);
                return true;
            }
            Err(error) => {
                match error.outcome {
                    Outcome::NotApplied => self.refused.push(id),
                    Outcome::Unknown => self.unknown.push(id),
                }
                self.note(&error);
            }
        }
        false
    }

    /// Notes how a read ended, which may say why its answer cannot be right.
    pub fn read(&mut self, outcome: Result<Option<String>, Error>) {
        match outcome {
            Ok(wrong) => {
                self.answered();
                self.reads += 1;
                self.wrong.extend(wrong);
            }
            Err(error) => self.note(&error),
        }
    }

    /// Notes the end, which ends a pause too.
    pub fn end(&mut self) {
        self.answered();
    }

    fn answered(&mut self) {
        self.pause_max = self.pause_max.max(self.last_answer.elapsed());
        self.last_answer = Instant::now();
    }

    fn note(&mut self, error: &Error) {
        let shown = format!("{:?}: {}", error.kind, error.message);
        *self.errors.entry(shown).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_used_twice_and_tell_their_kind() {
        let (mut one, mut two) = (Record::new(1), Record::new(2));
        let mut ids = vec![one.id_of_insert(), one.id_of_move(), one.id_of_insert()];
        ids.extend([two.id_of_move(), two.id_of_insert()]);
        assert_eq!(ids.iter().map(|id| id % 2).collect::<Vec<_>>(), [1, 0, 1, 0, 1]);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
    }

    #[test]
    fn outcomes_are_kept_apart() {
        let mut record = Record::new(1);
        assert!(record.settle(1, Ok(())));
        let refused = Error::aborted("no");
        assert!(!record.settle::<()>(2, Err(refused.clone())));
        let mut unknown = refused;
        unknown.outcome = Outcome::Unknown;
        assert!(!record.settle::<()>(3, Err(unknown)));
        let ids = (record.acknowledged, record.refused, record.unknown);
        assert_eq!(ids, (vec![1], vec![2], vec![3]));
    }
}
