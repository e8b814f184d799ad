//! The load generator in release mode.

use crate::process;
use crate::report::Report;

/// Builds the command in release mode and runs `dqlite bench` with the given arguments.
pub fn run(report: &mut Report, arguments: &[String]) {
    let build = process::command("cargo", &["build", "--release", "--package", "dqlite-cli"]);
    if !report.step("build", || process::run(build)) {
        return;
    }
    report.step("bench", || {
        let mut command = process::command("target/release/dqlite", &["bench"]);
        command.args(arguments);
        process::run(command)
    });
}
