//! The interop test (`ci/interop`): go-dqlite's own client and driver against three node processes.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::report::{Count, Report};
use crate::{build, process};

/// The Go module of the test, below the root.
pub const MODULE: &str = "ci/interop";

/// Above this the run hangs: `go test` then prints where every goroutine stands.
const TIME_LIMIT: &str = "15m";

/// Builds and runs the interop test, or those of its tests that match `only`.
pub fn alone(report: &mut Report, only: Option<&str>) {
    if report.step("build", build::everything) {
        report.counted("interop", |count| run(count, only));
    }
}

/// Runs the interop test against the node that is already built.
pub fn run(count: &mut Count, only: Option<&str>) -> Result<()> {
    let node = build::binary("dqlite")?;
    let mut command = go(&["test", "-count=1", "-v", "-timeout", TIME_LIMIT])?;
    if let Some(only) = only {
        command.args(["-run", only]);
    }
    command.arg("./...").env("DQLITE_BIN", node);
    let mut verdicts = Verdicts::default();
    let outcome = process::watched(command, |line| verdicts.read(line));
    *count = verdicts.count();
    outcome?;
    ensure!(count.passed > 0, "no test ran");
    Ok(())
}

/// A `go` command inside the module.
///
/// # Errors
/// There is no Go, or no C compiler for the SQLite that go-dqlite links.
pub fn go(arguments: &[&str]) -> Result<Command> {
    for tool in ["go version", "cc --version"] {
        let mut words = tool.split(' ');
        let mut probe = Command::new(words.next().unwrap_or_default());
        probe.args(words).stdout(Stdio::null());
        probe.status().with_context(|| format!("`{tool}`: the interop test needs Go and cc"))?;
    }
    let mut command = process::command("go", arguments);
    command.current_dir(process::root().join(MODULE));
    Ok(command)
}

/// The `--- PASS` and `--- FAIL` lines of `go test -v`, by test name.
#[derive(Default)]
struct Verdicts(BTreeMap<String, bool>);

impl Verdicts {
    fn read(&mut self, line: &str) {
        let line = line.trim_start();
        for (mark, good) in [("--- PASS: ", true), ("--- FAIL: ", false)] {
            if let Some(name) = line.strip_prefix(mark).and_then(|rest| rest.split(' ').next()) {
                self.0.insert(name.to_owned(), good);
            }
        }
    }

    /// Counts leaves only: a test with subtests is counted through them, unless it alone failed.
    fn count(&self) -> Count {
        let mut count = Count::default();
        for (name, &good) in &self.0 {
            let below = format!("{name}/");
            let mut parts =
                self.0.range(below.clone()..).take_while(|(k, _)| k.starts_with(&below));
            let is_leaf = parts.next().is_none();
            let failed_below = self
                .0
                .range(below.clone()..)
                .take_while(|(k, _)| k.starts_with(&below))
                .any(|(_, &good)| !good);
            match (is_leaf, good) {
                (true, true) => count.passed += 1,
                (true, false) => count.failed += 1,
                (false, false) if !failed_below => count.failed += 1,
                (false, _) => {}
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(lines: &[&str]) -> Count {
        let mut verdicts = Verdicts::default();
        lines.iter().for_each(|line| verdicts.read(line));
        verdicts.count()
    }

    #[test]
    fn only_leaves_are_counted() {
        let lines = [
            "=== RUN   TestDriver",
            "--- FAIL: TestDriver (1.20s)",
            "    --- PASS: TestDriver/crud (0.10s)",
            "    --- FAIL: TestDriver/rows (0.10s)",
            "--- PASS: TestDump (0.00s)",
        ];
        assert_eq!(counted(&lines), Count { passed: 2, failed: 1 });
    }

    #[test]
    fn a_parent_that_fails_by_itself_is_counted() {
        let lines = ["--- FAIL: TestDriver (1.20s)", "    --- PASS: TestDriver/crud (0.10s)"];
        assert_eq!(counted(&lines), Count { passed: 1, failed: 1 });
    }
}
