//! The cases that every language runs: data files of steps and what each must give.
//!
//! The cases stand in `cases/`, in the format that `FORMAT.md` describes. A small runner in each
//! language reads them and runs them against its own package; the one here, against
//! [`dqlite::blocking`], is the reference. All give the same number of cases.
//!
//! ```text
//! cases/*.toml ── load ── run ──┬─ dqlite::blocking       (in each language: its own package)
//!                               └─ control ── conformance-cluster: nodes as processes
//! generate ── a case file of random steps ── run, recording ── log ── compare ── log of another
//! ```
//!
//! What may differ from one language to the next is how a value or a call is spelled, nothing else:
//! where a case passes in one and fails in another, one of the two packages is wrong.
#![forbid(unsafe_code)]

pub mod cluster;
pub mod compare;
pub mod control;
pub mod generate;
pub mod load;
pub mod record;
pub mod run;
pub mod step;
pub mod value;
