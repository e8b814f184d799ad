//! What clients asked for and what they were told.
//!
//! Time is a counter: every call and every answer takes the next number, so that one operation
//! precedes another exactly when its answer came before the other's call.

mod entries;
mod registers;

use std::collections::BTreeMap;

pub use entries::check_entries;
pub use registers::{Access, Operation, check_registers};

/// A moment: the number of calls and answers before it.
pub type Moment = u64;

/// What a client was told about something it wanted to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is done.
    Acknowledged,
    /// It is not done and never will be.
    Failed,
    /// Nobody can say.
    Unknown,
}

/// Something that was to be written, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When it was asked for.
    pub begun: Moment,
    /// When the answer came.
    pub ended: Moment,
    /// The answer; `Unknown` until it comes.
    pub outcome: Outcome,
}

/// The entries of one table that a client was shown, all that are not below `from`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    /// When it was asked for.
    pub begun: Moment,
    /// When the answer came.
    pub ended: Moment,
    /// The lowest entry that would have been shown.
    pub from: u64,
    /// What was shown.
    pub entries: Vec<u64>,
}

/// All that happened, in the order in which it did.
#[derive(Debug, Default, Hash)]
pub struct History {
    now: Moment,
    next_entry: u64,
    /// Writes, by number.
    pub entries: BTreeMap<u64, Entry>,
    /// Reads of lists of entries.
    pub listings: Vec<Listing>,
    /// Reads and writes of registers.
    pub operations: Vec<Operation>,
    /// What broke a rule the moment it was seen.
    pub violations: Vec<String>,
}

impl History {
    /// The next moment.
    pub fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A new entry, whose outcome is unknown until [`end`](Self::end) tells it.
    pub fn begin(&mut self) -> u64 {
        let begun = self.tick();
        self.next_entry += 1;
        let entry = Entry { begun, ended: Moment::MAX, outcome: Outcome::Unknown };
        self.entries.insert(self.next_entry, entry);
        self.next_entry
    }

    /// Notes what became of an entry.
    pub fn end(&mut self, entry: u64, outcome: Outcome) {
        let ended = self.tick();
        if let Some(entry) = self.entries.get_mut(&entry) {
            (entry.ended, entry.outcome) = (ended, outcome);
        }
    }

    /// How many entries had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.values().filter(|entry| entry.outcome == outcome).count()
    }
}
