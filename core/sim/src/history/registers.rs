//! Whether reads and writes of registers could have happened one after the other.
//!
//! Every value is written at most once, which makes the question easy (Gibbons and Korach,
//! "Testing Shared Memories", 1997). The operations on one value form a cluster. Let *f* be the
//! earliest end in it and *s* the latest beginning. Where f < s, the register must hold the value
//! from f to s: a forward zone. Else the whole cluster fits at any one point from s to f: a
//! backward zone. The operations of a register are linearizable exactly when
//!
//! 1. every value that is read was written, by a write that did not fail and began before the
//!    read ended;
//! 2. no two forward zones overlap;
//! 3. no backward zone lies inside a forward zone.
//!
//! A write whose outcome is unknown ends never; one that nobody has read may never have happened.

use std::collections::BTreeMap;

use super::{Moment, Outcome};

/// What an operation does to its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Gives it a value that nobody else gives it.
    Write {
        /// The value.
        value: u64,
        /// What the writer was told.
        outcome: Outcome,
    },
    /// Found it to hold a value.
    Read {
        /// The value.
        value: u64,
    },
}

/// A read or write of a register that was answered, or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Which register.
    pub register: u64,
    /// When it was called.
    pub begun: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// What it was.
    pub access: Access,
}

/// The operations on one value of one register.
#[derive(Debug)]
struct Cluster {
    value: u64,
    write_begun: Moment,
    failed: bool,
    first_end: Moment,
    last_begin: Moment,
    reads: usize,
}

/// Checks the operations on registers that all held 0 at the start, all values being others.
///
/// # Errors
/// What shows that the operations of a register have no order.
pub fn check_registers(operations: &[Operation]) -> Result<(), Vec<String>> {
    let mut registers: BTreeMap<u64, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        registers.entry(operation.register).or_default().push(*operation);
    }
    let mut wrong = Vec::new();
    for (register, operations) in registers {
        if let Err(reason) = check_register(&operations) {
            wrong.push(format!("register {register}: {reason}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn check_register(operations: &[Operation]) -> Result<(), String> {
    let clusters = clusters(operations)?;
    let (mut forward, backward): (Vec<_>, Vec<_>) =
        clusters.iter().partition(|it| it.first_end < it.last_begin);
    forward.sort_by_key(|it| it.first_end);
    for pair in forward.windows(2) {
        if pair[1].first_end < pair[0].last_begin {
            return Err(format!(
                "{} was there from {} to {}, and {} from {} to {}", // (2)
                pair[0].value,
                pair[0].first_end,
                pair[0].last_begin,
                pair[1].value,
                pair[1].first_end,
                pair[1].last_begin
            ));
        }
    }
    for inner in backward {
        let after = forward.partition_point(|it| it.first_end < inner.last_begin);
        let Some(outer) = after.checked_sub(1).map(|at| forward[at]) else { continue };
        if inner.first_end < outer.last_begin {
            return Err(format!(
                "{} was there from {} to {}, all the time that {} could have been", // (3)
                outer.value, outer.first_end, outer.last_begin, inner.value
            ));
        }
    }
    Ok(())
}

/// The clusters of values that were there. (1)
fn clusters(operations: &[Operation]) -> Result<Vec<Cluster>, String> {
    let initial =
        Cluster { value: 0, write_begun: 0, failed: false, first_end: 0, last_begin: 0, reads: 0 };
    let mut clusters = BTreeMap::from([(0, initial)]);
    let mut unread_may_go = Vec::new();
    for operation in operations {
        let Access::Write { value, outcome } = operation.access else { continue };
        let known = outcome == Outcome::Acknowledged;
        let cluster = Cluster {
            value,
            write_begun: operation.begun,
            failed: outcome == Outcome::Failed,
            first_end: if known { operation.ended } else { Moment::MAX },
            last_begin: operation.begun,
            reads: 0,
        };
        if clusters.insert(value, cluster).is_some() {
            return Err(format!("{value} was written twice"));
        }
        if !known {
            unread_may_go.push(value);
        }
    }
    for operation in operations {
        let Access::Read { value } = operation.access else { continue };
        let Some(cluster) = clusters.get_mut(&value) else {
            return Err(format!("{value} was read and never written"));
        };
        if cluster.failed {
            return Err(format!("{value} was read at {}, and had failed", operation.begun));
        }
        if operation.ended < cluster.write_begun {
            return Err(format!("{value} was read at {} before it was written", operation.ended));
        }
        cluster.first_end = cluster.first_end.min(operation.ended);
        cluster.last_begin = cluster.last_begin.max(operation.begun);
        cluster.reads += 1;
    }
    for value in unread_may_go {
        if clusters.get(&value).is_some_and(|cluster| cluster.reads == 0) {
            clusters.remove(&value);
        }
    }
    Ok(clusters.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: u64, begun: Moment, ended: Moment) -> Operation {
        written(value, begun, ended, Outcome::Acknowledged)
    }

    fn written(value: u64, begun: Moment, ended: Moment, outcome: Outcome) -> Operation {
        Operation { register: 1, begun, ended, access: Access::Write { value, outcome } }
    }

    fn read(value: u64, begun: Moment, ended: Moment) -> Operation {
        Operation { register: 1, begun, ended, access: Access::Read { value } }
    }

    fn refused(operations: &[Operation]) -> String {
        check_registers(operations).unwrap_err().join("; ")
    }

    #[test]
    fn operations_at_the_same_time_may_come_in_any_order() {
        check_registers(&[read(0, 1, 2), write(1, 3, 10), read(0, 4, 5), read(1, 6, 7)]).unwrap();
        check_registers(&[write(1, 1, 10), write(2, 2, 9), read(2, 11, 12)]).unwrap();
        check_registers(&[write(1, 1, 10), write(2, 2, 9), read(1, 11, 12)]).unwrap();
        check_registers(&[write(1, 1, 4), read(1, 2, 3), write(2, 5, 6), read(2, 7, 8)]).unwrap();
    }

    #[test]
    fn a_read_misses_nothing_acknowledged_before_it() {
        assert!(refused(&[write(1, 1, 2), read(0, 3, 4)]).contains("1 could have been"));
        let stale = [write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)];
        assert!(refused(&stale).contains("2 could have been"));
    }

    #[test]
    fn reads_never_go_back() {
        let back = [write(1, 1, 20), read(1, 2, 3), read(0, 4, 5)];
        assert!(refused(&back).contains("0 was there from 0 to 4"));
        let turns = [
            write(1, 1, 20),
            write(2, 2, 21),
            read(1, 3, 4),
            read(2, 5, 6),
            read(1, 7, 8),
            read(2, 9, 10),
        ];
        assert!(refused(&turns).contains("1 was there from 4 to 7, and 2 from 6 to 9"));
    }

    #[test]
    fn a_read_shows_nothing_failed_unwritten_or_of_the_future() {
        let failed = [written(1, 1, 2, Outcome::Failed), read(1, 3, 4)];
        assert!(refused(&failed).contains("had failed"));
        assert!(refused(&[read(7, 1, 2)]).contains("never written"));
        assert!(refused(&[read(1, 1, 2), write(1, 3, 4)]).contains("before it was written"));
        assert!(refused(&[write(1, 1, 2), write(1, 3, 4)]).contains("twice"));
    }

    #[test]
    fn an_unknown_write_may_happen_any_time_or_never_but_not_come_and_go() {
        let unknown = written(1, 1, 2, Outcome::Unknown);
        check_registers(&[unknown, read(0, 3, 4), read(0, 5, 6)]).unwrap();
        check_registers(&[unknown, read(0, 3, 4), read(1, 5, 6), read(1, 7, 8)]).unwrap();
        refused(&[unknown, read(1, 3, 4), read(0, 5, 6)]);
        refused(&[unknown, write(2, 3, 4), read(1, 5, 6), read(2, 7, 8)]);
    }

    #[test]
    fn registers_do_not_mix() {
        let other = Operation { register: 2, ..read(0, 3, 4) };
        check_registers(&[write(1, 1, 2), other]).unwrap();
    }

    /// Whether the operations have an order, found by trying all.
    fn has_order(value: u64, left: &[Operation]) -> bool {
        let may_be_left_out = |it: &Operation| match it.access {
            Access::Write { outcome, .. } => outcome != Outcome::Acknowledged,
            _ => false,
        };
        if left.iter().all(may_be_left_out) {
            return true;
        }
        (0..left.len()).any(|at| {
            let next = left[at];
            let precedes = |it: &Operation| it.ended < next.begun && !may_be_left_out(it);
            if left.iter().any(precedes) {
                return false;
            }
            let rest: Vec<_> = [&left[..at], &left[at + 1..]].concat();
            match next.access {
                Access::Write { outcome: Outcome::Failed, .. } => false,
                Access::Write { value, .. } => has_order(value, &rest),
                Access::Read { value: read } => read == value && has_order(value, &rest),
            }
        })
    }

    #[test]
    fn small_histories_are_judged_as_by_trying_all_orders() {
        use rand::rngs::SmallRng;
        use rand::{Rng, SeedableRng};

        let mut random = SmallRng::seed_from_u64(1);
        let mut linearizable = 0;
        for _ in 0..20_000 {
            let operation = |value: u64, random: &mut SmallRng| {
                let begun = random.random_range(1..20);
                let ended = begun + random.random_range(1..8);
                match random.random_range(0..9) {
                    0..3 => write(value, begun, ended),
                    3 => written(value, begun, ended, Outcome::Unknown),
                    4 => written(value, begun, ended, Outcome::Failed),
                    _ => read(random.random_range(0..4), begun, ended),
                }
            };
            let operations: Vec<_> = (1..=6).map(|value| operation(value, &mut random)).collect();
            // Moments are unique in a history.
            let operations: Vec<_> = (0..).zip(operations).map(|(at, it)| spread(at, it)).collect();
            let expected = has_order(0, &operations);
            let judged = check_registers(&operations);
            assert_eq!(judged.is_ok(), expected, "{judged:?} {operations:#?}");
            linearizable += u32::from(expected);
        }
        assert!(linearizable > 500, "{linearizable} of them are linearizable");
    }

    fn spread(at: u64, operation: Operation) -> Operation {
        let (begun, ended) = (operation.begun * 100 + at, operation.ended * 100 + 50 + at);
        Operation { begun, ended, ..operation }
    }
}
