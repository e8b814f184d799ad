//! What happened, in words, for people and for the hash.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// A list of events with their times. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_printed: bool,
    now: Duration,
    hasher: DefaultHasher,
}

impl Trace {
    /// A trace that is printed as it grows, if `is_printed`.
    pub fn new(is_printed: bool) -> Self {
        let state = State { is_printed, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The simulation has come to this time.
    pub fn set_now(&self, now: Duration) {
        self.state.lock().now = now;
    }

    /// The time of the simulation, in milliseconds.
    pub fn now_ms(&self) -> u128 {
        self.state.lock().now.as_millis()
    }

    /// Notes an event.
    pub fn note(&self, event: &str) {
        let state = &mut *self.state.lock();
        (state.now, event).hash(&mut state.hasher);
        if state.is_printed {
            eprintln!("{:>6} {event}", state.now.as_millis());
        }
    }

    /// A number that two runs share when the same happened in both.
    pub fn digest(&self) -> u64 {
        self.state.lock().hasher.finish()
    }
}

/// Notes an event, as `format!` writes it.
macro_rules! traced {
    ($trace:expr, $($event:tt)*) => {
        $trace.note(&format!($($event)*))
    };
}

pub(crate) use traced;
