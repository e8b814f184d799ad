//! The linters: `check` never writes, `fix` writes what can be mended by a program.

use anyhow::{Result, ensure};

use crate::report::Report;
use crate::{generate, interop, process, python, tidy as rules};

/// Every linter, read-only.
pub fn check(report: &mut Report) {
    tidy(report);
    generated(report, true);
    report.step("rustfmt", || cargo(&["fmt", "--all", "--", "--check"]));
    report.step("clippy", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    report.step("gofmt", gofmt_check);
    report.step("go vet", || process::run(interop::go(&["vet", "./..."])?));
    report.step("python lint", python::lint);
}

/// The files that are made from `core/spec`: compares them only, or writes them.
pub fn generated(report: &mut Report, only_check: bool) {
    report.step("generated", if only_check { generate::check } else { generate::write });
}

/// Lets the generator, the formatters and clippy write, then reports what is left.
pub fn fix(report: &mut Report) {
    generated(report, false);
    report.step("clippy", || {
        let allow = ["--allow-dirty", "--allow-staged"];
        cargo(&["clippy", "--fix", "--workspace", "--all-targets", allow[0], allow[1]])
    });
    report.step("rustfmt", || cargo(&["fmt", "--all"]));
    report.step("gofmt", || process::run(process::command("gofmt", &["-w", interop::MODULE])));
    report.step("ruff", python::fix);
    tidy(report);
}

/// The rules of the tree.
pub fn tidy(report: &mut Report) {
    report.step("tidy", rules::run);
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(process::command("cargo", arguments))
}

fn gofmt_check() -> Result<()> {
    let listed = process::output(process::command("gofmt", &["-l", interop::MODULE]))?;
    let listed = String::from_utf8_lossy(&listed);
    ensure!(listed.trim().is_empty(), "not formatted: {}", listed.trim());
    Ok(())
}
