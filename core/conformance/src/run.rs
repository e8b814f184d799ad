//! Runs cases against [`dqlite::blocking`]: the reference for the runners of other languages.

mod act;
mod expect;
mod scope;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use crate::control::Control;
use crate::load::{Case, Place};
use crate::record::Log;

pub(crate) use act::Got;
pub(crate) use expect::columns;
pub(crate) use scope::{Failure, Scope};

/// What became of the cases.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Pairs of a case and a place that passed.
    pub passed: u64,
    /// Those among them that need a value that Rust cannot say.
    pub unsayable: Vec<String>,
    /// What failed, and how.
    pub failed: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failed {
            writeln!(formatter, "FAIL {failure}")?;
        }
        if !self.unsayable.is_empty() {
            writeln!(formatter, "not sayable in Rust: {}", self.unsayable.join(", "))?;
        }
        write!(formatter, "{} passed, {} failed", self.passed, self.failed.len())
    }
}

/// Runs cases.
#[derive(Debug)]
pub struct Runner {
    control: Control,
    log: Option<Log>,
    case_count: AtomicU64,
}

impl Runner {
    /// A runner whose nodes are started by `control`.
    pub fn new(control: Control) -> Self {
        Self { control, log: None, case_count: AtomicU64::new(0) }
    }

    /// The same, which writes down what each step gives.
    ///
    /// # Errors
    /// The log cannot be made.
    pub fn recording(control: Control, log: &Path) -> Result<Self> {
        Ok(Self { log: Some(Log::create(log)?), ..Self::new(control) })
    }

    /// Runs the cases in each of `places` that they are for. `tell` hears of each before it runs.
    ///
    /// # Errors
    /// The control program fails.
    pub fn run(&self, cases: &[Case], places: &[Place], tell: impl Fn(&str)) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        for &place in places {
            for case in cases.iter().filter(|case| case.places.contains(&place)) {
                let title = format!("{} ({})", case.name, place.name());
                tell(&title);
                match self.run_one(case, place)? {
                    Ok(()) => verdict.passed += 1,
                    Err((_, Failure::Unsayable)) => {
                        verdict.passed += 1;
                        verdict.unsayable.push(title);
                    }
                    Err((step, failure)) => {
                        verdict.failed.push(format!("{title} step {step}: {failure}"));
                    }
                }
            }
        }
        self.log.as_ref().map_or(Ok(()), Log::flush)?;
        Ok(verdict)
    }

    fn run_one(&self, case: &Case, place: Place) -> Result<Result<(), (usize, Failure)>> {
        let folder = tempfile::tempdir()?;
        let scope = self.scope(case, place, folder.path())?;
        let ran = scope.run();
        scope.close();
        Ok(ran)
    }

    fn scope<'a>(&'a self, case: &'a Case, place: Place, folder: &Path) -> Result<Scope<'a>> {
        let number = self.case_count.fetch_add(1, Ordering::SeqCst);
        let dir = folder.display().to_string();
        let (server, database) = match place {
            Place::Embedded => (PathBuf::from(&dir).join("data").display().to_string(), "main"),
            Place::Client => (format!("dqlite://{}", self.control.ask("one")?), ""),
            Place::Cluster => {
                self.control.ask("restart")?;
                (format!("dqlite://{}", self.control.ask("three")?), "")
            }
        };
        let mut variables = vec![("dir", dir), ("server", server.clone())];
        if database.is_empty() {
            let database = format!("case-{number}");
            variables.push(("target", format!("{server}/{database}")));
            variables.push(("addresses", server.trim_start_matches("dqlite://").to_owned()));
            variables.push(("db", database));
        } else {
            variables.push(("target", server));
            variables.push(("db", database.to_owned()));
        }
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(Scope::new(case, &self.control, self.log.as_ref(), variables.collect()))
    }
}
