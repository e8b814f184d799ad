//! What the clients were told against what the nodes hold.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use comfy_table::Table;

use super::copies::Copy;
use super::record::Record;
use crate::output;

/// The outcome of a demo. It has passed if there are no problems.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Transactions that were acknowledged.
    pub acknowledged: u64,
    /// How many of them each copy holds.
    pub present: Vec<u64>,
    /// Transactions of unknown outcome.
    pub unknown: u64,
    /// How many of them each copy holds.
    pub unknown_present: Vec<u64>,
    /// Transactions that failed with no effect.
    pub refused: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// The longest time that a client went without an answer.
    pub pause_max: Duration,
    /// The errors that clients met, counted.
    pub errors: BTreeMap<String, u64>,
    /// What must not be.
    pub problems: Vec<String>,
}

impl Verdict {
    /// Compares.
    pub fn of(records: &[Record], copies: &[Copy]) -> Self {
        let mut verdict = Self::default();
        for record in records {
            verdict.acknowledged += record.acknowledged.len() as u64;
            verdict.unknown += record.unknown.len() as u64;
            verdict.refused += record.refused.len() as u64;
            verdict.reads += record.reads;
            verdict.pause_max = verdict.pause_max.max(record.pause_max);
            verdict.problems.extend(record.wrong.iter().map(|wrong| format!("a read: {wrong}")));
            for (error, count) in &record.errors {
                *verdict.errors.entry(error.clone()).or_default() += count;
            }
        }
        for copy in copies {
            verdict.compare(records, copy);
        }
        if verdict.acknowledged == 0 {
            verdict.problems.push("not one transaction was acknowledged".to_owned());
        }
        for record in records {
            for id in &record.unknown {
                let present = copies.iter().filter(|copy| copy.ids.contains(id)).count();
                if present != 0 && present != copies.len() {
                    let problem = format!("transaction {id} is on {present} nodes only");
                    verdict.problems.push(problem);
                }
            }
        }
        if copies.windows(2).any(|pair| pair[0].sha256 != pair[1].sha256) {
            verdict.problems.push("the nodes' databases differ".to_owned());
        }
        verdict
    }

    fn compare(&mut self, records: &[Record], copy: &Copy) {
        let there = |of: fn(&Record) -> &Vec<i64>| {
            let ids = records.iter().flat_map(of);
            ids.filter(|id| copy.ids.contains(id)).count() as u64
        };
        let present = there(|record| &record.acknowledged);
        let unknown_present = there(|record| &record.unknown);
        let refused_present = there(|record| &record.refused);
        self.present.push(present);
        self.unknown_present.push(unknown_present);
        let mut problem = |count: u64, what: &str| {
            if count > 0 {
                self.problems.push(format!("{}: {count} {what}", copy.address));
            }
        };
        problem(self.acknowledged - present, "acknowledged transactions are missing");
        problem(refused_present, "transactions that failed are there");
        let strange = copy.ids.len() as u64 - present - unknown_present - refused_present;
        problem(strange, "transactions are there that nobody made");
        problem(copy.torn_moves, "moves are there in part");
        problem(copy.wrong_accounts, "accounts have a balance that no moves explain");
        problem(copy.missing_rows.unsigned_abs(), "imported rows are missing or too many");
        if copy.integrity != "ok" {
            self.problems.push(format!("{}: integrity_check: {}", copy.address, copy.integrity));
        }
    }

    /// A table with a line for each node.
    pub fn table(&self, copies: &[Copy], killed: &str) -> Table {
        let mut table = output::table([
            "node",
            "applied index",
            "acknowledged, present",
            "unknown, present",
            "integrity_check",
            "SHA-256 of the database",
        ]);
        for (number, copy) in copies.iter().enumerate() {
            let note = if copy.address == *killed { "\n(killed, restarted)" } else { "" };
            table.add_row([
                format!("{}{note}", copy.address),
                copy.index.to_string(),
                format!("{} of {}", self.present[number], self.acknowledged),
                format!("{} of {}", self.unknown_present[number], self.unknown),
                copy.integrity.clone(),
                copy.sha256.chars().take(16).chain("…".chars()).collect(),
            ]);
        }
        table
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "transactions acknowledged:   {}", self.acknowledged)?;
        let everywhere = self.present.iter().min().copied().unwrap_or(0);
        let nodes = self.present.len();
        let all = if everywhere == self.acknowledged { "all" } else { "NOT all" };
        writeln!(f, "present on each node:        {everywhere} ({all}), on {nodes} nodes")?;
        let present = self.unknown_present.first().copied().unwrap_or(0);
        writeln!(
            f,
            "of unknown outcome:          {} ({present} present, {} absent)",
            self.unknown,
            self.unknown - present
        )?;
        writeln!(f, "failed, with no effect:      {}", self.refused)?;
        writeln!(f, "reads answered:              {}", self.reads)?;
        writeln!(f, "longest pause of a client:   {:.2} s", self.pause_max.as_secs_f64())?;
        for (error, count) in &self.errors {
            writeln!(f, "  {count} times {error}")?;
        }
        if self.problems.is_empty() {
            writeln!(f, "passed: nothing is lost, and all copies are the same bytes")
        } else {
            self.problems.iter().try_for_each(|problem| writeln!(f, "FAILED: {problem}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::new(1);
        record.acknowledged = vec![1, 2];
        record.refused = vec![3];
        record.unknown = vec![4, 5];
        record
    }

    fn copy(ids: &[i64]) -> Copy {
        Copy {
            address: "a".into(),
            integrity: "ok".into(),
            ids: ids.iter().copied().collect(),
            ..Copy::default()
        }
    }

    fn problems(copies: &[Copy]) -> Vec<String> {
        Verdict::of(&[record()], copies).problems
    }

    #[test]
    fn unknown_may_be_there_or_not_but_everywhere_alike() {
        assert_eq!(problems(&[copy(&[1, 2]), copy(&[1, 2])]), [""; 0]);
        assert_eq!(problems(&[copy(&[1, 2, 4, 5]), copy(&[1, 2, 4, 5])]), [""; 0]);
        let differing = [copy(&[1, 2, 4]), copy(&[1, 2])];
        assert_eq!(problems(&differing), ["transaction 4 is on 1 nodes only"]);
    }

    #[test]
    fn what_is_lost_or_too_much_is_a_problem() {
        assert_eq!(problems(&[copy(&[1])]), ["a: 1 acknowledged transactions are missing"]);
        assert_eq!(problems(&[copy(&[1, 2, 3])]), ["a: 1 transactions that failed are there"]);
        let strange = problems(&[copy(&[1, 2, 9])]);
        assert_eq!(strange, ["a: 1 transactions are there that nobody made"]);
        assert_eq!(Verdict::of(&[], &[copy(&[])]).problems.len(), 1, "nothing was done");
    }

    #[test]
    fn every_defect_of_a_copy_is_a_problem() {
        let good = || copy(&[1, 2]);
        let other = |sha: &str| Copy { sha256: sha.into(), ..good() };
        assert_eq!(problems(&[other("x"), other("y")]), ["the nodes' databases differ"]);
        assert_eq!(problems(&[Copy { torn_moves: 1, ..good() }]).len(), 1);
        assert_eq!(problems(&[Copy { wrong_accounts: 1, ..good() }]).len(), 1);
        assert_eq!(problems(&[Copy { missing_rows: -1, ..good() }]).len(), 1);
        assert_eq!(problems(&[Copy { integrity: "row 1 missing".into(), ..good() }]).len(), 1);
        let mut wrong = record();
        wrong.wrong = vec!["the sum".into()];
        assert_eq!(Verdict::of(&[wrong], &[good()]).problems, ["a read: the sum"]);
    }
}
