//! One build for all that runs: the crates' tests, the nodes of the interop test, the simulator.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::process;

/// Builds every library, binary, test and example of the workspace in the dev profile.
///
/// Always the whole workspace: cargo chooses the features of shared dependencies by what is built
/// together, so building one package alone would compile much of it a second time.
pub fn everything() -> Result<()> {
    process::run(process::command(
        "cargo",
        &["build", "--workspace", "--lib", "--bins", "--tests", "--examples"],
    ))
}

/// The path of a binary that `everything` built.
///
/// # Errors
/// No package of the workspace has a binary of this name.
pub fn binary(name: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| process::root().join("target"), PathBuf::from);
    let path = target.join("debug").join(name);
    ensure!(path.is_file(), "{} was not built", path.display());
    Ok(path)
}
