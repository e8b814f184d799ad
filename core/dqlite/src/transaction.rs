//! Transactions that are run as a whole, again where that is safe.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// When a transaction takes the database's write lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionMode {
    /// With its first write, which fails if somebody else has committed since its first read.
    Deferred,
    /// At once: it never fails for what others write.
    #[default]
    Immediate,
    /// The same as `Immediate`: in WAL mode readers are not kept out.
    Exclusive,
}

impl TransactionMode {
    /// The statement that opens one.
    pub(crate) fn begin_sql(self) -> &'static str {
        match self {
            Self::Deferred => "BEGIN DEFERRED",
            Self::Immediate => "BEGIN IMMEDIATE",
            Self::Exclusive => "BEGIN EXCLUSIVE",
        }
    }
}

impl std::str::FromStr for TransactionMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_str() {
            "deferred" => Ok(Self::Deferred),
            "immediate" => Ok(Self::Immediate),
            "exclusive" => Ok(Self::Exclusive),
            _ => Err(Error::new(
                "option.value",
                format!("transaction mode {name:?}: it is deferred, immediate or exclusive"),
            )),
        }
    }
}

/// What the body of a transaction fails with: the retry looks for an error of ours in it.
pub trait RetryOn {
    /// The error, if it is one.
    fn error(&self) -> Option<&Error>;
}

impl RetryOn for Error {
    fn error(&self) -> Option<&Error> {
        Some(self)
    }
}

const TRY_FOR: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The tries at one transaction.
#[derive(Debug)]
pub struct Tries {
    until: Instant,
    pause: Duration,
}

impl Tries {
    /// Tries for about half a minute; with `retry` off, once.
    pub fn new(retry: bool) -> Self {
        let until = Instant::now() + if retry { TRY_FOR } else { Duration::ZERO };
        Self { until, pause: PAUSE_MIN }
    }

    /// Waits a little before the next try, longer each time. False when there is no time for one.
    pub async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause >= self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}
