//! The steps of one run: their names, wall times and test counts, and the lines that close it.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Tests that ran, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

struct Step {
    name: &'static str,
    took: Duration,
    good: bool,
}

/// What a run did so far. A failed step does not stop the ones after it: one run shows all.
pub struct Report {
    steps: Vec<Step>,
    count: Option<Count>,
}

impl Report {
    pub fn new() -> Report {
        Report { steps: Vec::new(), count: None }
    }

    /// Runs a step that either works or does not; returns whether it did.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        println!("==> {name}");
        let begun = Instant::now();
        let outcome = work();
        self.close(name, begun, outcome.err())
    }

    /// Runs a step that counts tests; a failed test or an error fails it.
    pub fn counted(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Count) -> Result<()>,
    ) -> bool {
        println!("==> {name}");
        let begun = Instant::now();
        let mut count = Count::default();
        let mut error = work(&mut count).err();
        if error.is_none() && count.failed > 0 {
            error = Some(anyhow::anyhow!("{count}"));
        }
        *self.count.get_or_insert_default() += count;
        self.close(name, begun, error)
    }

    fn close(&mut self, name: &'static str, begun: Instant, error: Option<anyhow::Error>) -> bool {
        let took = begun.elapsed();
        let good = error.is_none();
        match error {
            None => println!("<== {name}: good, {:.1} s", took.as_secs_f64()),
            Some(error) => println!("<== {name}: FAILED, {:.1} s: {error:#}", took.as_secs_f64()),
        }
        self.steps.push(Step { name, took, good });
        good
    }

    /// Prints the summary and gives the exit status: success only if every step was good.
    pub fn finish(self) -> ExitCode {
        println!();
        for step in &self.steps {
            let verdict = if step.good { "good" } else { "FAILED" };
            println!("{:<12} {verdict:<7} {:>7.1} s", step.name, step.took.as_secs_f64());
        }
        if let Some(count) = self.count {
            println!("{count}");
        }
        if self.steps.iter().all(|step| step.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_fails_its_step_and_the_run() {
        let mut report = Report::new();
        let good = report.counted("two", |count| {
            *count += Count { passed: 3, failed: 1 };
            Ok(())
        });
        assert!(!good);
        assert_eq!(report.count, Some(Count { passed: 3, failed: 1 }));
        assert_ne!(
            format!("{:?}", report.finish()),
            format!("{:?}", ExitCode::SUCCESS),
            "a run with a failed test must not exit with success"
        );
    }

    #[test]
    fn counts_add_up_over_steps() {
        let mut report = Report::new();
        for _ in 0..2 {
            report.counted("some", |count| {
                count.passed += 2;
                Ok(())
            });
        }
        assert_eq!(report.count, Some(Count { passed: 4, failed: 0 }));
    }
}
