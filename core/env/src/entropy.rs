//! Randomness: from the operating system, or from one seed.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

/// A source of random numbers. Clones share one sequence.
#[derive(Clone, Debug)]
pub struct Entropy {
    seeded: Option<Arc<Mutex<SmallRng>>>,
}

impl Entropy {
    /// Numbers nobody can predict.
    pub fn os() -> Self {
        Self { seeded: None }
    }

    /// The sequence that belongs to `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { seeded: Some(Arc::new(Mutex::new(SmallRng::seed_from_u64(seed)))) }
    }

    /// The next 64 random bits.
    pub fn next(&self) -> u64 {
        match &self.seeded {
            None => rand::rng().next_u64(),
            Some(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence() {
        let (one, two) = (Entropy::seeded(7), Entropy::seeded(7));
        assert_eq!([one.next(), one.next()], [two.next(), two.next()]);
        assert_ne!(one.next(), Entropy::seeded(8).next());
    }
}
