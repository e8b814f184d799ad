//! Whether what was acknowledged is there, once, and what failed is not.
//!
//! 1. An acknowledged entry is there exactly once, a failed one never, an unknown one at most once,
//!    and nothing that nobody asked for.
//! 2. A listing shows every entry that was acknowledged before it began, none that failed, and none
//!    that was asked for after it ended.
//! 3. What a listing has shown stays.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Listing, Outcome};

/// Checks the entries of one table: `asked` for, `shown` on the way, and `found` at the end.
///
/// # Errors
/// Every rule that is broken, in words.
pub fn check_entries(
    asked: &BTreeMap<u64, Entry>,
    shown: &[Listing],
    found: &[u64],
) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
    for &entry in found {
        *copies.entry(entry).or_default() += 1;
    }
    for (number, entry) in asked {
        let copies = copies.get(number).copied().unwrap_or(0);
        match (entry.outcome, copies) {
            (Outcome::Acknowledged, 0) => wrong.push(format!("acknowledged {number} is lost")),
            (Outcome::Failed, 1..) => wrong.push(format!("failed {number} is there")),
            (_, 2..) => wrong.push(format!("{number} is there {copies} times")),
            _ => {}
        }
    }
    for number in copies.keys().filter(|number| !asked.contains_key(number)) {
        wrong.push(format!("{number} is there and nobody asked for it"));
    }
    for listing in shown {
        check_listing(asked, listing, &copies, &mut wrong);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn check_listing(
    asked: &BTreeMap<u64, Entry>,
    listing: &Listing,
    copies: &BTreeMap<u64, usize>,
    wrong: &mut Vec<String>,
) {
    let Listing { begun, ended, .. } = *listing;
    let shown: BTreeSet<u64> = listing.entries.iter().copied().collect();
    if shown.len() != listing.entries.len() {
        wrong.push(format!("the listing at {begun} shows an entry twice"));
    }
    for (number, entry) in asked.range(listing.from..) {
        let is_shown = shown.contains(number);
        let was_acknowledged = entry.outcome == Outcome::Acknowledged && entry.ended < begun;
        if was_acknowledged && !is_shown {
            wrong.push(format!("the listing at {begun} misses acknowledged {number}")); // (2)
        }
        if is_shown && entry.outcome == Outcome::Failed {
            wrong.push(format!("the listing at {begun} shows failed {number}")); // (2)
        }
        if is_shown && entry.begun > ended {
            wrong.push(format!("the listing at {begun} shows {number} of the future")); // (2)
        }
        if is_shown && !copies.contains_key(number) {
            wrong.push(format!("{number} was shown at {begun} and is lost")); // (3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Table;

    fn asked() -> BTreeMap<u64, Entry> {
        let entry = |begun, ended, outcome| Entry { table: Table::Entry, begun, ended, outcome };
        BTreeMap::from([
            (1, entry(1, 2, Outcome::Acknowledged)),
            (2, entry(3, 4, Outcome::Failed)),
            (3, entry(5, 6, Outcome::Unknown)),
            (4, entry(20, 21, Outcome::Acknowledged)),
        ])
    }

    fn listing(entries: &[u64]) -> Vec<Listing> {
        vec![Listing { begun: 10, ended: 11, from: 1, entries: entries.to_vec() }]
    }

    fn broken(shown: &[Listing], found: &[u64]) -> String {
        check_entries(&asked(), shown, found).unwrap_err().join("; ")
    }

    #[test]
    fn what_is_there_must_be_what_was_promised() {
        check_entries(&asked(), &[], &[1, 4]).unwrap();
        check_entries(&asked(), &[], &[1, 3, 4]).unwrap();
        assert_eq!(broken(&[], &[4]), "acknowledged 1 is lost");
        assert_eq!(broken(&[], &[1, 2, 4]), "failed 2 is there");
        assert_eq!(broken(&[], &[1, 3, 3, 4]), "3 is there 2 times");
        assert_eq!(broken(&[], &[1, 4, 9]), "9 is there and nobody asked for it");
    }

    #[test]
    fn a_listing_shows_what_was_acknowledged_and_nothing_that_is_not_so() {
        check_entries(&asked(), &listing(&[1]), &[1, 4]).unwrap();
        check_entries(&asked(), &listing(&[1, 3]), &[1, 3, 4]).unwrap();
        assert!(broken(&listing(&[]), &[1, 4]).contains("misses acknowledged 1"));
        assert!(broken(&listing(&[1, 2]), &[1, 4]).contains("shows failed 2"));
        assert!(broken(&listing(&[1, 4]), &[1, 4]).contains("shows 4 of the future"));
        assert!(broken(&listing(&[1, 3]), &[1, 4]).contains("3 was shown at 10 and is lost"));
    }
}
