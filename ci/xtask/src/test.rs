//! Every test there is, and the tests of the crates.

use anyhow::Result;

use crate::report::{Count, Report};
use crate::{build, c, interop, process, python, sim};

/// Builds, then runs the tests of the crates, the interop test, `seeds` seeds of the simulation,
/// and the tests of the packages.
pub fn all(report: &mut Report, seeds: u64) {
    if !report.step("build", build::everything) {
        return;
    }
    report.counted("cargo test", crates);
    report.counted("interop", |count| interop::run(count, None));
    report.counted("sim", |count| sim::run(count, 1, seeds));
    python::alone(report, &[]);
    c::test(report);
}

fn crates(count: &mut Count) -> Result<()> {
    let command = process::command("cargo", &["test", "--workspace", "--no-fail-fast"]);
    count_cargo(command, count)
}

/// Runs a `cargo test` and adds up its summaries, one for each test binary.
pub fn count_cargo(command: std::process::Command, count: &mut Count) -> Result<()> {
    process::watched(command, |line| {
        if let Some(part) = summary(line) {
            *count += part;
        }
    })
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
fn summary(line: &str) -> Option<Count> {
    let rest = line.strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    let number = |label: &str| {
        counts.split("; ").find_map(|part| part.strip_suffix(label)?.trim().parse::<u64>().ok())
    };
    Some(Count { passed: number(" passed")?, failed: number(" failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(summary(line), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(summary("test wal::apply ... ok"), None);
    }
}
