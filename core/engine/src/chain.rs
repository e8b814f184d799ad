//! The chain of a database's transactions.
//!
//! A leader lets each transaction build on the pages of the one before while that one is still on
//! its way into the log. Should the log lose one and keep the next, applying the next would corrupt
//! the database. So:
//!
//! 1. Every transaction names the session of leadership that made it, its number in that session,
//!    and what it is built on: the number before, or, for a session's first, the index of the log
//!    entry that last changed the database.
//! 2. Every node applies a transaction only on that base, and voids it otherwise. The decision
//!    depends on nothing but the log, so all nodes decide alike.
//! 3. A session's entries stand in the log in the term that the session names, and nowhere else.
//!    So once a node has applied an entry of a later term, it knows the fate of all of them.
//! 4. A transaction may come in several parts. Only the last one commits it; parts that anything
//!    else follows are dropped.

/// One uninterrupted stretch of leadership over a database. Later sessions compare greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The leader's term: Raft gives a term to one leader only.
    pub term: u64,
    /// Counts the sessions of one leader in one term, which follow each other when a leader had to
    /// undo transactions and stayed leader.
    pub epoch: u32,
}

/// What a transaction is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The transaction of the same session with the number before.
    Previous,
    /// The database as the entry with this index left it; 0 for a new database.
    Index(u64),
}

/// A transaction's place in the chain of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who made the transaction.
    pub session: SessionId,
    /// Its number in the session, from 1.
    pub sequence: u64,
    /// What it is built on.
    pub base: Base,
    /// The number of this part, from 0.
    pub part: u32,
    /// True for the part that commits the transaction.
    pub last: bool,
}

/// How far the chain of a database goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The index of the entry that last changed the database; 0 for a new one.
    pub index: u64,
    /// The session that made that entry.
    pub session: SessionId,
    /// The transaction's number in the session.
    pub sequence: u64,
}

/// The parts so far of a transaction that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    session: SessionId,
    sequence: u64,
    next_part: u32,
    /// The index of the entry that held the first part.
    pub first_index: u64,
}

/// What is to be done with a part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it: more parts follow.
    Keep,
    /// It completes its transaction: apply all parts.
    Commit,
    /// It does not fit: it has no effect.
    Void,
}

impl Chain {
    /// Decides on the part `link` that the entry `index` of term `term` holds, and moves on.
    pub fn judge(
        &mut self,
        open: &mut Option<Open>,
        link: &Link,
        term: u64,
        index: u64,
    ) -> Verdict {
        let parts = open.take(); // (4)
        if link.session.term != term {
            return Verdict::Void; // (3)
        }
        let first_index = if link.part == 0 {
            let fits = match link.base {
                Base::Previous => {
                    self.session == link.session && self.sequence + 1 == link.sequence
                }
                Base::Index(base) => self.index == base && link.sequence == 1,
            };
            if !fits {
                return Verdict::Void; // (2)
            }
            index
        } else {
            match parts {
                Some(parts)
                    if parts.session == link.session
                        && parts.sequence == link.sequence
                        && parts.next_part == link.part =>
                {
                    parts.first_index
                }
                _ => return Verdict::Void,
            }
        };
        if link.last {
            *self = Self { index, session: link.session, sequence: link.sequence };
            return Verdict::Commit;
        }
        *open = Some(Open {
            session: link.session,
            sequence: link.sequence,
            next_part: link.part + 1,
            first_index,
        });
        Verdict::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId { term: 3, epoch: 0 };

    fn whole(sequence: u64, base: Base) -> Link {
        Link { session: SESSION, sequence, base, part: 0, last: true }
    }

    fn part(sequence: u64, part: u32, last: bool) -> Link {
        Link { session: SESSION, sequence, base: Base::Previous, part, last }
    }

    fn chain_at(sequence: u64) -> Chain {
        Chain { index: 10, session: SESSION, sequence }
    }

    #[test]
    fn a_session_follows_the_entry_it_was_built_on() {
        let (mut chain, mut open) = (Chain { index: 7, ..Chain::default() }, None);
        assert_eq!(chain.judge(&mut open, &whole(1, Base::Index(6)), 3, 8), Verdict::Void);
        assert_eq!(chain.judge(&mut open, &whole(1, Base::Index(7)), 3, 9), Verdict::Commit);
        assert_eq!(chain, Chain { index: 9, session: SESSION, sequence: 1 });
        assert_eq!(chain.judge(&mut open, &whole(2, Base::Previous), 3, 12), Verdict::Commit);
    }

    #[test]
    fn a_transaction_without_its_predecessor_is_void_and_so_is_all_after_it() {
        let (mut chain, mut open) = (chain_at(4), None);
        assert_eq!(chain.judge(&mut open, &whole(6, Base::Previous), 3, 11), Verdict::Void);
        assert_eq!(chain.judge(&mut open, &whole(7, Base::Previous), 3, 12), Verdict::Void);
        assert_eq!(chain, chain_at(4));
        assert_eq!(chain.judge(&mut open, &whole(5, Base::Previous), 3, 13), Verdict::Commit);
    }

    #[test]
    fn an_entry_in_another_term_than_its_session_is_void() {
        let (mut chain, mut open) = (chain_at(4), None);
        assert_eq!(chain.judge(&mut open, &whole(5, Base::Previous), 4, 11), Verdict::Void);
    }

    #[test]
    fn parts_commit_together() {
        let (mut chain, mut open) = (chain_at(4), None);
        assert_eq!(chain.judge(&mut open, &part(5, 0, false), 3, 11), Verdict::Keep);
        assert_eq!(chain.judge(&mut open, &part(5, 1, false), 3, 12), Verdict::Keep);
        assert_eq!(open.map(|open| open.first_index), Some(11));
        assert_eq!(chain, chain_at(4));
        assert_eq!(chain.judge(&mut open, &part(5, 2, true), 3, 13), Verdict::Commit);
        assert_eq!((chain.index, chain.sequence, open), (13, 5, None));
    }

    #[test]
    fn parts_that_another_transaction_follows_are_dropped() {
        let (mut chain, mut open) = (chain_at(4), None);
        let next = SessionId { term: 4, epoch: 0 };
        assert_eq!(chain.judge(&mut open, &part(5, 0, false), 3, 11), Verdict::Keep);
        let link = Link { session: next, ..whole(1, Base::Index(10)) };
        assert_eq!(chain.judge(&mut open, &link, 4, 13), Verdict::Commit);
        assert_eq!(open, None);
        assert_eq!(chain.judge(&mut open, &part(5, 1, true), 3, 14), Verdict::Void);
    }

    #[test]
    fn a_missing_part_voids_the_rest() {
        let (mut chain, mut open) = (chain_at(4), None);
        assert_eq!(chain.judge(&mut open, &part(5, 0, false), 3, 11), Verdict::Keep);
        assert_eq!(chain.judge(&mut open, &part(5, 2, true), 3, 12), Verdict::Void);
        assert_eq!(chain.judge(&mut open, &part(5, 1, true), 3, 13), Verdict::Void);
        assert_eq!(chain, chain_at(4));
    }
}
