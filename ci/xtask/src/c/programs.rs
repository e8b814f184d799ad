//! The C programs of `core/capi/tests/c`: each compiled and run in several ways.
//!
//! The library is not instrumented. AddressSanitizer sees what the programs read and write,
//! valgrind what the library does, too. ThreadSanitizer cannot see that Rust's locks order
//! anything, so what the library itself does is not looked at.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::report::Count;

const SOURCES: &str = "core/capi/tests/c";
const FLAGS: [&str; 8] = [
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-Werror",
];
const SYSTEM: [&str; 3] = ["-lm", "-lpthread", "-ldl"];

/// A way to compile and run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Shared,
    Static,
    Address,
    Thread,
    Valgrind,
}

use Way::{Address, Shared, Static, Thread, Valgrind};

/// The programs and the ways in which they run. What starts whole clusters takes too long where
/// every instruction is watched.
const PROGRAMS: [(&str, &[Way]); 8] = [
    ("values", &[Shared, Address, Valgrind]),
    ("handles", &[Shared, Static, Address, Thread, Valgrind]),
    ("connection", &[Shared, Static, Address, Thread, Valgrind]),
    ("threads", &[Shared, Static, Address, Thread]),
    ("node", &[Shared, Static, Address]),
    ("server", &[Shared, Address]),
    ("cluster", &[Shared, Static, Address]),
    // Beside another SQLite, which only a static library could be taken for.
    ("symbols", &[Static]),
];

/// Compiles and runs all of them against the library in `dist`.
pub fn run(count: &mut Count, dist: &Path) -> Result<()> {
    check_list()?;
    let to = dist.join("tests");
    std::fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
    let suppressions = to.join("thread.supp");
    std::fs::write(&suppressions, format!("called_from_lib:{}\n", super::SHARED))?;
    let mut failed = Vec::new();
    for (name, ways) in PROGRAMS {
        for way in ways {
            println!("--- {name}, {way:?}");
            let program = compile(name, *way, dist, &to)?;
            let before = *count;
            let ran = process::watched(command(&program, *way, &suppressions), |line| {
                if let Some(part) = summary(line) {
                    *count += part;
                }
            });
            if let Err(error) = ran {
                failed.push(format!("{name}, {way:?}: {error}"));
                // A program that died has no count of its own.
                count.failed += u64::from(count.failed == before.failed);
            }
            ensure!(*count != before, "{name}, {way:?} told no count of its tests");
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

/// Every program in the folder is on the list.
fn check_list() -> Result<()> {
    for entry in std::fs::read_dir(process::root().join(SOURCES))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_program = path.extension().is_some_and(|extension| extension == "c");
        let listed = PROGRAMS.iter().any(|(listed, _)| *listed == name);
        ensure!(!is_program || listed, "{name}.c is run by nobody: add it to the list");
    }
    Ok(())
}

fn compile(name: &str, way: Way, dist: &Path, to: &Path) -> Result<PathBuf> {
    let program = to.join(format!("{name}-{way:?}").to_lowercase());
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut cc = process::command(&compiler, &FLAGS);
    match way {
        Address => {
            cc.arg("-fsanitize=address,undefined");
        }
        Thread => {
            cc.arg("-fsanitize=thread");
        }
        Shared | Static | Valgrind => {}
    }
    cc.arg("-I").arg(dist.join("include"));
    cc.arg(format!("{SOURCES}/{name}.c")).arg("-o").arg(&program);
    let libraries = dist.join("lib");
    if way == Static {
        cc.arg(libraries.join("libdqlite.a"));
        if name == "symbols" {
            cc.arg("-lsqlite3");
        }
    } else {
        cc.arg("-L").arg(&libraries).arg("-ldqlite");
        cc.arg(format!("-Wl,-rpath,{}", libraries.display()));
    }
    process::run({
        cc.args(SYSTEM);
        cc
    })?;
    Ok(program)
}

fn command(program: &Path, way: Way, suppressions: &Path) -> Command {
    let direct = || process::command(&program.to_string_lossy(), &[]);
    match way {
        Shared | Static => direct(),
        Address => {
            let mut command = direct();
            command.env("ASAN_OPTIONS", "detect_leaks=1:halt_on_error=1");
            command.env("UBSAN_OPTIONS", "halt_on_error=1");
            command
        }
        Thread => {
            let mut command = direct();
            let options = format!("halt_on_error=1:suppressions={}", suppressions.display());
            command.env("TSAN_OPTIONS", options);
            command
        }
        Valgrind => {
            let leaks = [
                "-q",
                "--error-exitcode=9",
                "--fair-sched=yes",
                "--leak-check=full",
                "--show-leak-kinds=definite",
                "--errors-for-leak-kinds=definite",
            ];
            let mut command = process::command("valgrind", &leaks);
            command.arg(program);
            command
        }
    }
}

/// Reads `12 passed, 3 failed`.
fn summary(line: &str) -> Option<Count> {
    let (passed, failed) = line.split_once(" passed, ")?;
    Some(Count {
        passed: passed.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        assert_eq!(summary("12 passed, 3 failed"), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(summary("test a ... ok"), None);
    }
}
