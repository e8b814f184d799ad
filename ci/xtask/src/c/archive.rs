//! A static library that shows nothing but its own names.
//!
//! It holds SQLite, and so may the program that it is linked into. The linker would then take one
//! of the two for both, without a word. So the archive is made one object, and all names in it
//! local but those that are exported.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::EXPORTS;
use crate::process;

/// Bitcode of Rust's standard library, which GNU ar cannot read and nobody needs.
const BITCODE: [&str; 2] = [".llvmbc", ".llvmcmd"];

/// Makes `to` of the archive `from`.
pub fn isolate(from: &Path, to: &Path) -> Result<()> {
    let object = to.with_file_name("dqlite.o");
    let mut link = process::command("ld", &["-r", "--gc-sections"]);
    for name in super::exports()? {
        link.args(["-u", &name]);
    }
    link.arg("--whole-archive").arg(from).arg("-o").arg(&object);
    process::run(link)?;
    let exports = process::root().join(EXPORTS);
    let mut localise = process::command("objcopy", &["--strip-debug"]);
    localise.args(BITCODE.iter().flat_map(|section| ["-R", section]));
    localise.arg(format!("--keep-global-symbols={}", exports.display())).arg(&object);
    process::run(localise)?;
    // ar adds to what is there.
    if to.exists() {
        fs::remove_file(to).with_context(|| to.display().to_string())?;
    }
    let mut pack = process::command("ar", &["rcs"]);
    pack.arg(to).arg(&object);
    process::run(pack)?;
    fs::remove_file(&object).with_context(|| object.display().to_string())
}
