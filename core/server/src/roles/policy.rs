//! Which role should change next, as the leader sees the members. Nothing here looks at a clock.

use dqlite_raft::Role;

use crate::placement::{Standing, best_first};

/// A member as the leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub standing: Standing,
    /// It has answered a moment ago. The leader counts itself.
    pub reachable: bool,
    /// It has nearly all of the log.
    pub caught_up: bool,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There are too few voters: make this one more.
    Promote(u64),
    /// A voter is out of reach: another votes in its place.
    Replace { lost: u64, by: u64 },
    /// A voter is out of reach, and there are enough without it.
    Demote(u64),
}

impl Step {
    /// The voter that it is about, if one is out of reach.
    pub fn lost(self) -> Option<u64> {
        match self {
            Self::Promote(_) => None,
            Self::Replace { lost, .. } | Self::Demote(lost) => Some(lost),
        }
    }
}

/// The change that brings the cluster nearer to `wanted` voters that can be reached; `None` when
/// it has them, or nobody who could vote.
pub(crate) fn next_step(members: &[Seen], wanted: usize) -> Option<Step> {
    let (voters, others): (Vec<&Seen>, Vec<&Seen>) =
        members.iter().partition(|it| it.standing.role == Role::Voter);
    let reachable: Vec<Standing> =
        voters.iter().filter(|it| it.reachable).map(|it| it.standing).collect();
    let lost = voters.iter().find(|it| !it.reachable).map(|it| it.standing.id);
    if let Some(lost) = lost
        && reachable.len() >= wanted
    {
        return Some(Step::Demote(lost));
    }
    let fit = others.iter().filter(|it| it.reachable && it.caught_up).map(|it| it.standing);
    let best = best_first(fit.collect(), &reachable).first()?.id;
    match lost {
        Some(lost) => Some(Step::Replace { lost, by: best }),
        None => (voters.len() < wanted).then_some(Step::Promote(best)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members in words: `v` voter, `b` stand-by, `s` spare; `-` out of reach, `<` lags behind;
    /// the number is the failure domain. Ids count from 1.
    fn seen(text: &str) -> Vec<Seen> {
        let member = |(id, word): (u64, &str)| {
            let role = match word.as_bytes()[0] {
                b'v' => Role::Voter,
                b'b' => Role::StandBy,
                _ => Role::Spare,
            };
            let failure_domain = word[1..2].parse().unwrap();
            Seen {
                standing: Standing { id, role, failure_domain, weight: 0 },
                reachable: !word.ends_with('-'),
                caught_up: !word.ends_with('<'),
            }
        };
        (1..).zip(text.split(' ')).map(member).collect()
    }

    #[test]
    fn every_situation_has_its_step() {
        let replace = |lost, by| Some(Step::Replace { lost, by });
        for (members, wanted, expected) in [
            // All is well.
            ("v0", 3, None),
            ("v0 v0 v0", 3, None),
            ("v0 v0 v0 b0 s0", 3, None),
            ("v0 v0 v0 v0 s0", 3, None),
            // Too few voters.
            ("v0 s0", 3, Some(Step::Promote(2))),
            ("v0 v0 s0 b0", 3, Some(Step::Promote(4))),
            ("v0 v0 s0- b0<", 3, None),
            ("v0 s0", 1, None),
            // One is lost, and somebody is there.
            ("v0 v0- v0 b0", 3, replace(2, 4)),
            ("v0 v0- v0 s0 b0", 3, replace(2, 5)),
            ("v0 v0- s0", 3, replace(2, 3)),
            // Nobody is fit.
            ("v0 v0- v0", 3, None),
            ("v0 v0- v0 b0- s0<", 3, None),
            ("v0 v0-", 3, None),
            // One voter more than wanted, and that is the lost one.
            ("v0 v0 v0- v0", 3, Some(Step::Demote(3))),
            ("v0 v0 v0- v0 b0", 3, Some(Step::Demote(3))),
            ("v0 v0-", 1, Some(Step::Demote(2))),
            // Two are lost: one after the other.
            ("v0 v0- v0- v0 v0 b0 b0", 5, replace(2, 6)),
            // The domain that has no voter left comes first, then the stand-by.
            ("v1 v2 v3- b1 s3 s2", 3, replace(3, 5)),
            ("v1 v2 b1 b2 s3", 3, Some(Step::Promote(5))),
        ] {
            assert_eq!(next_step(&seen(members), wanted), expected, "{members} of {wanted}");
        }
    }

    /// Whatever happens, the steps come to an end, and never lower the number of voters in reach.
    #[test]
    fn steps_come_to_an_end() {
        let words = ["v0", "v1-", "v1", "b0", "b1-", "s0", "s1<"];
        for number in 0..words.len().pow(5) {
            let pick = |place: u32| words[number / words.len().pow(place) % words.len()];
            let text: Vec<_> = (0..5).map(pick).collect();
            let mut members = seen(&text.join(" "));
            let voting = |members: &[Seen]| {
                members.iter().filter(|it| it.reachable && it.standing.role == Role::Voter).count()
            };
            let mut steps = 0;
            while let Some(step) = next_step(&members, 3) {
                let before = voting(&members);
                let mut set = |id: u64, role| members[id as usize - 1].standing.role = role;
                match step {
                    Step::Promote(id) => set(id, Role::Voter),
                    Step::Demote(id) => set(id, Role::Spare),
                    Step::Replace { lost, by } => {
                        set(lost, Role::Spare);
                        set(by, Role::Voter);
                    }
                }
                assert!(voting(&members) >= before, "{text:?} {step:?}");
                steps += 1;
                assert!(steps <= 5, "{text:?} has no end");
            }
        }
    }
}
