//! The C library: built, laid out as it is installed, and tested with C programs.
//!
//! ```text
//!  dist/c/lib/libdqlite.so.0     the shared library; libdqlite.so points to it
//!  dist/c/lib/libdqlite.a        one object, all of whose names but ours are local
//!  dist/c/lib/pkgconfig          what pkg-config knows of it
//!  dist/c/include                dqlite.h and what it includes
//! ```

mod archive;
mod programs;
mod symbols;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process;
use crate::report::Report;

/// The names that leave the library, one a line, sorted.
const EXPORTS: &str = "core/capi/exports.txt";
const HEADERS: [&str; 3] = ["dqlite.h", "dqlite_tables.h", "dqlite_values.h"];
/// The name that programs built for dqlite look for.
const SHARED: &str = "libdqlite.so.0";
/// The version of dqlite whose API it is.
const API_VERSION: &str = "1.18.6";

/// Builds the library and lays it out.
pub fn dist(report: &mut Report) -> bool {
    report.step("dist-c", build)
}

/// Lays it out, then runs every program against it.
pub fn test(report: &mut Report) {
    if dist(report) {
        report.step("exports", || symbols::check(&folder()));
        report.counted("c", |count| programs::run(count, &folder()));
    }
}

/// Copies what `dist` has laid out below `prefix`, as it will stand on the machine; files go below
/// `root` where one is given.
pub fn install(report: &mut Report, prefix: &Path, root: Option<&Path>) {
    report.step("install", || {
        let from = folder();
        ensure!(from.join("lib").join(SHARED).is_file(), "build it first: make dist-c");
        let below = root.unwrap_or(Path::new("/"));
        let to = below.join(prefix.strip_prefix("/").unwrap_or(prefix));
        for part in ["include", "lib", "lib/pkgconfig"] {
            fs::create_dir_all(to.join(part)).with_context(|| format!("cannot make {part}"))?;
        }
        for header in HEADERS {
            copy(&from.join("include").join(header), &to.join("include").join(header))?;
        }
        for library in [SHARED, "libdqlite.a"] {
            copy(&from.join("lib").join(library), &to.join("lib").join(library))?;
        }
        link_shared(&to.join("lib"))?;
        let described = to.join("lib/pkgconfig/dqlite.pc");
        let prefix = prefix.to_str().context("the prefix is not UTF-8")?;
        fs::write(&described, package(prefix)).with_context(|| described.display().to_string())
    });
}

/// Where it is laid out.
pub fn folder() -> PathBuf {
    process::root().join("dist/c")
}

fn build() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the static library is made with GNU ld and objcopy");
    process::run(process::command("cargo", &["build", "--release", "-p", "dqlite-capi"]))?;
    let built = target().join("release");
    let to = folder();
    for part in ["include", "lib/pkgconfig"] {
        fs::create_dir_all(to.join(part)).with_context(|| format!("cannot make {part}"))?;
    }
    for header in HEADERS {
        copy(&process::root().join("include").join(header), &to.join("include").join(header))?;
    }
    let shared = to.join("lib").join(SHARED);
    copy(&built.join("libdqlite_capi.so"), &shared)?;
    let mut strip = process::command("strip", &["--strip-debug"]);
    strip.arg(&shared);
    process::run(strip)?;
    link_shared(&to.join("lib"))?;
    archive::isolate(&built.join("libdqlite_capi.a"), &to.join("lib/libdqlite.a"))?;
    fs::write(to.join("lib/pkgconfig/dqlite.pc"), package("${pcfiledir}/../.."))?;
    Ok(())
}

fn link_shared(folder: &Path) -> Result<()> {
    let link = folder.join("libdqlite.so");
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(SHARED, &link).with_context(|| link.display().to_string())
}

/// What pkg-config is told.
fn package(prefix: &str) -> String {
    format!(
        "prefix={prefix}\n\
         libdir=${{prefix}}/lib\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: dqlite\n\
         Description: Replicated SQLite\n\
         Version: {API_VERSION}\n\
         Libs: -L${{libdir}} -ldqlite\n\
         Libs.private: -lm -lpthread -ldl\n\
         Cflags: -I${{includedir}}\n"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    // In place of what is there: a program that has the old file mapped goes on with it.
    if fs::symlink_metadata(to).is_ok() {
        fs::remove_file(to).with_context(|| format!("cannot replace {}", to.display()))?;
    }
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| process::root().join("target"), PathBuf::from)
}

/// The names that leave the library.
fn exports() -> Result<Vec<String>> {
    let text = fs::read_to_string(process::root().join(EXPORTS)).context(EXPORTS)?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_headers() {
        let header = fs::read_to_string(process::root().join("include/dqlite.h")).unwrap();
        let number = |name: &str| {
            let start = format!("#define DQLITE_VERSION_{name} ");
            let line = header.lines().find_map(|line| line.strip_prefix(start.as_str()));
            line.unwrap().to_owned()
        };
        let version = ["MAJOR", "MINOR", "RELEASE"].map(number).join(".");
        assert_eq!(version, API_VERSION);
    }

    #[test]
    fn exports_are_what_the_header_declares() {
        let header = fs::read_to_string(process::root().join("include/dqlite.h")).unwrap();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let lines = header.lines().filter(|line| !line.trim_start().starts_with("//"));
        let starts = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let mut declared: Vec<String> = lines
            .filter(|line| starts(line) && !line.starts_with("typedef"))
            .filter_map(|line| {
                let name = line.split('(').next()?.trim_end_matches(';');
                let name = name.rsplit(|c: char| !is_part(c)).next()?;
                name.starts_with("dqlite_").then(|| name.to_owned())
            })
            .collect();
        declared.sort();
        declared.dedup();
        assert_eq!(declared, exports().unwrap());
    }
}
