//! Long runs of the crates' fuzz tests.
//!
//! A fuzz test is an ordinary property test with `fuzz` in its name; `cargo test` gives it a short
//! run, this a long one.

use crate::report::Report;
use crate::{process, test};

/// Runs every test with `fuzz` in its name with `cases` cases.
pub fn run(report: &mut Report, cases: u64) {
    report.counted("fuzz", |count| {
        let mut command = process::command(
            "cargo",
            &["test", "--release", "--workspace", "--lib", "--tests", "--no-fail-fast", "fuzz"],
        );
        command.env("PROPTEST_CASES", cases.to_string());
        test::count_cargo(command, count)
    });
}
