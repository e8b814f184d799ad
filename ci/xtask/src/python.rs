//! The Python package: its wheel, built as `pip` builds it, and its tests in an environment that
//! has the wheel installed and nothing of the tree on its path.
//!
//! ```text
//!  target/python/venv   one environment, made anew when what it needs changes
//!  target/wheels        the wheels: one of this machine for the tests, manylinux by `wheel`
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::report::{Count, Report};

/// Where the package stands.
pub const PACKAGE: &str = "bindings-python";
/// What the tests and linters need, pinned.
const REQUIREMENTS: &str = "bindings-python/requirements-test.txt";
/// What builds the manylinux wheel, pinned.
const WHEEL_REQUIREMENTS: &str = "bindings-python/requirements-wheel.txt";

/// Builds the package and runs its tests.
pub fn alone(report: &mut Report, arguments: &[String]) {
    if report.step("wheel", install) {
        report.counted("python", |count| test(count, arguments));
    }
}

/// Builds the wheel and installs it into the environment of the tests.
pub fn install() -> Result<()> {
    environment()?;
    let wheels = fresh_folder("wheels-test")?;
    let mut build = in_environment("pip", &["wheel", "--no-deps", "--quiet", "--wheel-dir"]);
    build.arg(&wheels).arg(process::root().join(PACKAGE));
    build.env("CARGO_TARGET_DIR", target());
    process::run(build)?;
    install_wheel(&in_environment("pip", &[]), &only_file(&wheels)?)
}

/// Runs the tests against the installed wheel; `arguments` go to pytest.
pub fn test(count: &mut Count, arguments: &[String]) -> Result<()> {
    let mut pytest = in_environment("pytest", &["-q"]);
    pytest.args(arguments).current_dir(process::root().join(PACKAGE));
    process::watched(pytest, |line| {
        if let Some(part) = summary(line) {
            *count += part;
        }
    })?;
    ensure!(count.passed > 0, "pytest ran no test");
    Ok(())
}

/// ruff, mypy and pyright over the package and its tests, read-only. The wheel is installed.
pub fn lint() -> Result<()> {
    environment()?;
    let here = process::root().join(PACKAGE);
    let runs: [&[&str]; 3] =
        [&["ruff", "check", "."], &["ruff", "format", "--check", "."], &["mypy", "python/dqlite"]];
    for run in runs {
        let mut command = in_environment(run[0], &run[1..]);
        command.current_dir(&here);
        process::run(command)?;
    }
    Ok(())
}

/// Lets ruff write what it can mend.
pub fn fix() -> Result<()> {
    environment()?;
    for run in [["check", "--fix", "."].as_slice(), ["format", "."].as_slice()] {
        let mut command = in_environment("ruff", run);
        command.current_dir(process::root().join(PACKAGE));
        process::run(command)?;
    }
    Ok(())
}

/// Builds a manylinux wheel, and tries it in a new environment that has nothing else.
pub fn wheel(report: &mut Report) {
    report.step("manylinux", || {
        environment()?;
        process::run(in_environment("pip", &["install", "--quiet", "-r", WHEEL_REQUIREMENTS]))?;
        let wheels = fresh_folder("wheels")?;
        let mut build = in_environment("maturin", &["build", "--release", "--zig"]);
        build.args(["--compatibility", "manylinux2014", "--out"]).arg(&wheels);
        build.current_dir(process::root().join(PACKAGE)).env("CARGO_TARGET_DIR", target());
        process::run(build)?;
        try_out(&only_file(&wheels)?)
    });
}

/// Installs a wheel into an environment of its own and runs a program with it.
fn try_out(wheel: &Path) -> Result<()> {
    const PROGRAM: &str = "import dqlite, tempfile\n\
        with dqlite.connect(tempfile.mkdtemp()) as connection:\n    \
            connection.execute('CREATE TABLE t (a)')\n    \
            connection.execute('INSERT INTO t VALUES (?)', (7,))\n    \
            assert connection.execute('SELECT a FROM t').fetchall() == [(7,)]\n\
        print('the wheel works:', dqlite.__version__)\n";
    let folder = fresh_folder("python/try")?;
    process::run(new_environment(&folder))?;
    let bin = folder.join("bin");
    install_wheel(&Command::new(bin.join("pip")), wheel)?;
    let mut program = Command::new(bin.join("python"));
    program.args(["-c", PROGRAM]).current_dir(&folder);
    process::run(program)
}

/// Makes the environment of the tests, or finds it as it should be.
fn environment() -> Result<()> {
    let venv = venv();
    let wanted = fs::read_to_string(process::root().join(REQUIREMENTS))
        .with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let stamp = venv.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted) {
        return Ok(());
    }
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    process::run(new_environment(&venv))?;
    process::run(in_environment("pip", &["install", "--quiet", "-r", REQUIREMENTS]))?;
    fs::write(stamp, wanted)?;
    Ok(())
}

fn new_environment(folder: &Path) -> Command {
    let mut create = process::command("python3", &["-m", "venv"]);
    create.arg(folder);
    create
}

fn install_wheel(pip: &Command, wheel: &Path) -> Result<()> {
    let mut install = Command::new(pip.get_program());
    install.args(["install", "--quiet", "--no-deps", "--force-reinstall"]).arg(wheel);
    process::run(install)
}

/// A program of the environment.
pub fn in_environment(program: &str, arguments: &[&str]) -> Command {
    let path = venv().join("bin").join(program);
    let mut command = process::command(&path.to_string_lossy(), arguments);
    command.env("VIRTUAL_ENV", venv()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| process::root().join("target"), PathBuf::from)
}

fn venv() -> PathBuf {
    target().join("python").join("venv")
}

fn fresh_folder(name: &str) -> Result<PathBuf> {
    let folder = target().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file.path()),
        _ => bail!("{} should hold one wheel", folder.display()),
    }
}

/// Reads `3 failed, 12 passed, 1 skipped in 4.56s`.
fn summary(line: &str) -> Option<Count> {
    let (counts, _) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
    let mut count = Count::default();
    for part in counts.split(", ") {
        let (number, what) = part.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what {
            "passed" => count.passed = number,
            "failed" | "error" | "errors" => count.failed += number,
            "skipped" | "deselected" | "warning" | "warnings" | "xfailed" | "xpassed" => {}
            _ => return None,
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_pytest_is_read() {
        let count = |passed, failed| Some(Count { passed, failed });
        assert_eq!(summary("12 passed in 3.21s"), count(12, 0));
        assert_eq!(
            summary("=== 2 failed, 12 passed, 3 skipped, 1 error in 9.0s ==="),
            count(12, 3)
        );
        assert_eq!(summary("1 warning in 0.1s"), count(0, 0));
        assert_eq!(summary("tests are in 3 folders"), None);
        assert_eq!(summary("..... [ 50%]"), None);
    }
}
