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

/// Where an entry leaves a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// In the list of entries.
    Entry,
    /// In the list of transfers.
    Transfer,
    /// Nowhere: it is the value of registers only.
    None,
}

/// Something that was to be written, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Where it is to be found.
    pub table: Table,
    /// When it was asked for.
    pub begun: Moment,
    /// When the answer came.
    pub ended: Moment,
    /// The answer; `Unknown` until it comes.
    pub outcome: Outcome,
}

/// The entries of [`Table::Entry`] that a client was shown, all that are not below `from`.
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
    newest_entry: u64,
    /// Writes, by number.
    pub entries: BTreeMap<u64, Entry>,
    /// Reads of lists of entries.
    pub listings: Vec<Listing>,
    /// Reads and writes of registers.
    pub operations: Vec<Operation>,
    /// Questions what became of a write that were answered: applied, and not applied.
    pub told: (u64, u64),
}

impl History {
    /// The next moment.
    pub fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A new entry, whose outcome is unknown until [`end`](Self::end) tells it.
    pub fn begin(&mut self, table: Table) -> u64 {
        let begun = self.tick();
        self.newest_entry += 1;
        let entry = Entry { table, begun, ended: Moment::MAX, outcome: Outcome::Unknown };
        self.entries.insert(self.newest_entry, entry);
        self.newest_entry
    }

    /// Notes what became of an entry.
    pub fn end(&mut self, entry: u64, outcome: Outcome) {
        let ended = self.tick();
        if let Some(entry) = self.entries.get_mut(&entry) {
            (entry.ended, entry.outcome) = (ended, outcome);
        }
    }

    /// The number of the newest entry.
    pub fn newest(&self) -> u64 {
        self.newest_entry
    }

    /// The entries that leave a row in `table`.
    pub fn of_table(&self, table: Table) -> BTreeMap<u64, Entry> {
        let of_table = self.entries.iter().filter(|(_, entry)| entry.table == table);
        of_table.map(|(number, entry)| (*number, *entry)).collect()
    }

    /// How many reads were answered.
    pub fn reads(&self) -> usize {
        let is_read = |operation: &&Operation| matches!(operation.access, Access::Read { .. });
        self.listings.len() + self.operations.iter().filter(is_read).count()
    }

    /// How many entries had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.values().filter(|entry| entry.outcome == outcome).count()
    }
}
