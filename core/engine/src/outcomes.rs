//! What became of the clients' last commits.
//!
//! A client whose node is lost while it commits cannot know whether the transaction took effect.
//! So a command says in the log which [`Call`] of which client committed it, and every node keeps
//! of the clients that committed last the newest call and the index of its entry.
//!
//! 1. The record depends on nothing but the log: on the commands that took effect, in their order.
//!    All nodes have the same one at the same index. A void command is not in it.
//! 2. A client has one place, and its mark never goes back there.
//! 3. There are [`CLIENTS_MAX`] places. The client whose last commit is the oldest goes first, and
//!    the `horizon` tells up to where calls may be forgotten.
//! 4. The record on disk is that of one index: the one up to which the database file is complete
//!    (`record`). What the log holds behind it is noted on top when it is asked for, and when the
//!    next checkpoint is made. So a node that starts again, or from another's snapshot, notes each
//!    command once and in order, and has the record of all others.

pub(crate) mod record;

use std::collections::BTreeMap;

/// How many clients a database remembers.
pub(crate) const CLIENTS_MAX: usize = 4096;

/// A call of a client that may commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub client: u128,
    /// Higher with every call of the client.
    pub mark: u64,
}

impl Call {
    /// The call, if it has both numbers: 0 stands for none.
    pub fn new(client: u128, mark: u64) -> Option<Self> {
        (client != 0 && mark != 0).then_some(Self { client, mark })
    }
}

/// What became of a call's commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has no effect, and never will.
    NotApplied,
    /// It took effect, with the entry at this index. A script that commits more than once has
    /// committed this one and those before it, and perhaps no more.
    Applied(u64),
    /// The record does not reach back so far.
    Forgotten,
}

/// The newest call of each of the clients that committed last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastCalls {
    by_client: BTreeMap<u128, Last>,
    by_index: BTreeMap<u64, u128>,
    /// The highest index that ever lost its place; 0 for none.
    horizon: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    mark: u64,
    index: u64,
}

impl LastCalls {
    /// Notes that the command at `index`, behind all that are noted, committed `call`.
    pub fn note(&mut self, call: Call, index: u64) {
        self.note_within(CLIENTS_MAX, call, index);
    }

    fn note_within(&mut self, clients_max: usize, call: Call, index: u64) {
        let newest = self.by_index.last_key_value().map_or(self.horizon, |(newest, _)| *newest);
        assert!(newest < index, "the record follows the log"); // (1)
        if let Some(last) = self.by_client.get(&call.client) {
            if last.mark > call.mark {
                return; // (2)
            }
            self.by_index.remove(&last.index);
        }
        self.by_client.insert(call.client, Last { mark: call.mark, index });
        self.by_index.insert(index, call.client);
        if self.by_client.len() > clients_max
            && let Some((oldest, client)) = self.by_index.pop_first()
        {
            self.by_client.remove(&client);
            self.horizon = oldest; // (3)
        }
    }

    /// The newest mark of `client`; 0 where it has none.
    pub fn mark_of(&self, client: u128) -> u64 {
        self.by_client.get(&client).map_or(0, |last| last.mark)
    }

    /// What became of `call`, which was made after everything up to `since` was applied.
    ///
    /// Only the newest mark of a client has its index. A client is to ask for a call that it does
    /// not know the outcome of before it commits another, or to go on under another number: an
    /// older mark than the newest is [`Outcome::Forgotten`], though it may have taken effect.
    pub fn outcome(&self, call: Call, since: u64) -> Outcome {
        match self.by_client.get(&call.client) {
            Some(last) if last.mark == call.mark => Outcome::Applied(last.index),
            Some(last) if last.mark > call.mark => Outcome::Forgotten,
            Some(_) => Outcome::NotApplied,
            // Its entry would stand behind `since`, so with no such place lost it had none.
            None if self.horizon > since => Outcome::Forgotten,
            None => Outcome::NotApplied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn call(client: u128, mark: u64) -> Call {
        Call { client, mark }
    }

    #[test]
    fn an_outcome_is_applied_only_for_the_clients_newest_mark() {
        let mut calls = LastCalls::default();
        calls.note(call(1, 5), 10);
        calls.note(call(2, 9), 11);
        assert_eq!(calls.outcome(call(1, 4), 0), Outcome::Forgotten);
        assert_eq!(calls.outcome(call(1, 5), 0), Outcome::Applied(10));
        assert_eq!(calls.outcome(call(1, 6), 0), Outcome::NotApplied);
        assert_eq!(calls.outcome(call(3, 1), 0), Outcome::NotApplied);
        // A script commits twice under one mark; an older mark does not come back.
        calls.note(call(1, 5), 12);
        calls.note(call(2, 8), 13);
        assert_eq!(calls.outcome(call(1, 5), 0), Outcome::Applied(12));
        assert_eq!(calls.outcome(call(2, 9), 0), Outcome::Applied(11));
        assert_eq!(calls.mark_of(2), 9);
    }

    #[test]
    fn what_lost_its_place_is_forgotten_only_by_those_it_may_concern() {
        let mut calls = LastCalls::default();
        for client in 1..=CLIENTS_MAX as u128 {
            calls.note(call(client, 1), 100 + client as u64);
        }
        assert_eq!(calls.outcome(call(1, 1), 100), Outcome::Applied(101));
        assert_eq!(calls.outcome(call(9999, 1), 0), Outcome::NotApplied, "nothing lost its place");
        calls.note(call(1, 2), 5000);
        calls.note(call(7777, 1), 5001);
        // Client 2 was the oldest by then.
        assert_eq!(calls.outcome(call(1, 2), 100), Outcome::Applied(5000));
        assert_eq!(calls.outcome(call(2, 1), 101), Outcome::Forgotten);
        assert_eq!(calls.outcome(call(9999, 1), 101), Outcome::Forgotten);
        assert_eq!(calls.outcome(call(9999, 1), 102), Outcome::NotApplied);
        assert_eq!(calls.by_client.len(), CLIENTS_MAX);
    }

    #[test]
    fn zero_is_no_client_and_no_mark() {
        assert_eq!(Call::new(0, 1), None);
        assert_eq!(Call::new(1, 0), None);
        assert_eq!(Call::new(1, 2), Some(call(1, 2)));
    }

    /// The same rules, in so many words: a list of clients in the order of their last commit.
    #[derive(Default)]
    struct Model {
        places: Vec<(u128, u64, u64)>,
        horizon: u64,
    }

    impl Model {
        fn note(&mut self, clients_max: usize, call: Call, index: u64) {
            if let Some(at) = self.places.iter().position(|place| place.0 == call.client) {
                if self.places[at].1 > call.mark {
                    return;
                }
                self.places.remove(at);
            }
            self.places.push((call.client, call.mark, index));
            if self.places.len() > clients_max {
                self.horizon = self.places.remove(0).2;
            }
        }
    }

    /// Draws numbers that a seed decides (`splitmix64`).
    struct Draws(u64);

    impl Draws {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits ^ (bits >> 31)) % end
        }
    }

    /// Clients' commits, in their log; with `late`, now and then one after a later call's.
    fn log_of(seed: u64, late: bool) -> (usize, Vec<(Call, u64)>) {
        let mut draws = Draws(seed);
        let clients_max = 1 + draws.below(6) as usize;
        let client_total = 1 + draws.below(12);
        let mut index = draws.below(3);
        let mut marks = vec![0; client_total as usize];
        let log = (0..60).map(|_| {
            index += 1 + draws.below(3);
            let client = draws.below(client_total);
            let mark = &mut marks[client as usize];
            *mark = (*mark + draws.below(3)).max(1);
            let late = if late && draws.below(8) == 0 { draws.below(2) } else { 0 };
            (call(u128::from(client) + 1, mark.saturating_sub(late).max(1)), index)
        });
        (clients_max, log.collect())
    }

    /// From any checkpoint on, read back from its bytes, the log leads to the same record.
    #[test]
    fn the_record_converges_from_any_checkpoint() {
        for seed in 0..300 {
            let (clients_max, log) = log_of(seed, true);
            let note = |calls: &mut LastCalls, log: &[(Call, u64)]| {
                log.iter().for_each(|(call, index)| calls.note_within(clients_max, *call, *index));
            };
            let mut whole = LastCalls::default();
            note(&mut whole, &log);
            let mut model = Model::default();
            log.iter().for_each(|(call, index)| model.note(clients_max, *call, *index));
            let places: Vec<_> = whole
                .by_index
                .iter()
                .map(|(index, client)| (*client, whole.by_client[client].mark, *index))
                .collect();
            assert_eq!(places, model.places, "seed {seed}");
            assert_eq!(whole.horizon, model.horizon, "seed {seed}");
            for cut in 0..=log.len() {
                let mut before = LastCalls::default();
                note(&mut before, &log[..cut]);
                let mut again = LastCalls::decode(&before.encode()).expect("a whole record");
                assert_eq!(again, before, "seed {seed}, cut {cut}");
                note(&mut again, &log[cut..]);
                assert_eq!(again, whole, "seed {seed}, cut {cut}");
            }
        }
    }

    /// No answer to a client that keeps its calls in order is wrong, whatever was forgotten.
    #[test]
    fn no_answer_contradicts_the_log() {
        for seed in 0..300 {
            let (clients_max, log) = log_of(seed, false);
            let mut calls = LastCalls::default();
            log.iter().for_each(|(call, index)| calls.note_within(clients_max, *call, *index));
            let clients: BTreeSet<_> = log.iter().map(|(call, _)| call.client).collect();
            for client in clients {
                let mut of_client = log.iter().filter(|(call, _)| call.client == client);
                let newest = of_client.clone().map(|(call, _)| call.mark).max().unwrap_or(0);
                let entry = of_client.rfind(|(call, _)| call.mark == newest);
                let index = entry.map_or(0, |(_, index)| *index);
                match calls.outcome(call(client, newest), index - 1) {
                    Outcome::Applied(told) => assert_eq!(told, index, "seed {seed}"),
                    Outcome::Forgotten => assert!(calls.horizon >= index, "seed {seed}"),
                    Outcome::NotApplied => panic!("seed {seed}: {client} did commit {newest}"),
                }
            }
        }
    }
}
