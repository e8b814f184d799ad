//! `include/dqlite.h`, as cbindgen reads it out of the crate that has the functions.

use anyhow::{Context, Result, anyhow};

use crate::process;

const SOURCES: &str = "core/capi";

/// The files with functions and types of C, in the order in which the header has them.
const FILES: [&str; 18] = [
    "version.rs",
    "node.rs",
    "node/settings.rs",
    "node/dialer.rs",
    "node/recovery.rs",
    "server.rs",
    "error.rs",
    "operation.rs",
    "options.rs",
    "connection.rs",
    "execute.rs",
    "result.rs",
    "cursor.rs",
    "transaction.rs",
    "backup.rs",
    "embedded.rs",
    "cluster.rs",
    "given.rs",
];

/// The header.
///
/// # Errors
/// The crate's sources or its cbindgen.toml cannot be read.
pub fn text() -> Result<String> {
    let folder = process::root().join(SOURCES);
    let settings = folder.join("cbindgen.toml");
    let config = cbindgen::Config::from_file(&settings)
        .map_err(|error| anyhow!("{}: {error}", settings.display()))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in FILES {
        builder = builder.with_src(folder.join("src").join(file));
    }
    let bindings = builder.generate().context("cbindgen")?;
    let mut out = Vec::new();
    bindings.write(&mut out);
    Ok(String::from_utf8(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_with_something_of_c_is_in_the_header() {
        let source = process::root().join(SOURCES).join("src");
        let mut folders = vec![source.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let marks = ["(no_mangle)", "#[repr(C)]", "pub type dqlite_"];
                let exports = marks.iter().any(|mark| text.contains(mark));
                let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
                assert_eq!(FILES.contains(&name.as_str()), exports, "{name}");
            }
        }
    }
}
