//! What leaves the library is what was meant to: neither more nor less.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;

/// Compares the names that both libraries in `folder` export with the list in the tree.
pub fn check(folder: &Path) -> Result<()> {
    let expected = super::exports()?;
    ensure!(expected.is_sorted(), "{} is not sorted", super::EXPORTS);
    for (file, flags) in [(super::SHARED, ["-D"].as_slice()), ("libdqlite.a", &["-g"])] {
        let mut command = process::command("nm", flags);
        command.arg("--defined-only").arg(folder.join("lib").join(file));
        let found = names(&text(command)?);
        let missing: Vec<_> = expected.iter().filter(|name| !found.contains(name)).collect();
        let unknown: Vec<_> = found.iter().filter(|name| !expected.contains(name)).collect();
        ensure!(
            missing.is_empty() && unknown.is_empty(),
            "{file}: not exported: {missing:?}; exported and not listed: {unknown:?}"
        );
    }
    let mut command = process::command("objdump", &["-p"]);
    command.arg(folder.join("lib").join(super::SHARED));
    let soname = text(command)?.lines().find_map(|line| {
        let name = line.trim().strip_prefix("SONAME")?;
        Some(name.trim().to_owned())
    });
    let soname = soname.context("the shared library has no SONAME")?;
    ensure!(soname == super::SHARED, "the shared library is called {soname}");
    Ok(())
}

fn text(command: Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&process::output(command)?).into_owned())
}

/// The names in the output of nm: address, kind and name.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (_address, _kind, name) = (words.next()?, words.next()?, words.next()?);
            Some(name.split('@').next().unwrap_or(name).to_owned())
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_nm_is_read() {
        let text = "\ndqlite.o:\n0000000000001000 T dqlite_b\n0000000000000000 D dqlite_a@@V1\n";
        assert_eq!(names(text), ["dqlite_a", "dqlite_b"]);
    }
}
