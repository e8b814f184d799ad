//! The rules of the tree that no compiler checks, over every file that git tracks.
//!
//! | module        | what it asks                                                               |
//! |---------------|----------------------------------------------------------------------------|
//! | `text`        | width, white space, merge markers, no machine's paths, no registry hosts   |
//! | `size`        | no long files                                                              |
//! | `seams`       | clocks, threads, files and printing only where they belong; no half work   |
//! | `unsafe_code` | `unsafe` has an address, and each block says why it is sound               |
//! | `links`       | relative links in Markdown lead somewhere                                  |
//! | `crates`      | every crate introduces itself and stands in `docs/architecture.md`         |
//!
//! Each rule takes a `Tree`, which is plain data, so that its tests need no files.

mod crates;
mod links;
mod rust_code;
mod seams;
mod size;
mod text;
mod tree;
mod unsafe_code;

use std::fmt;

use anyhow::{Result, ensure};

use self::tree::Tree;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    message: String,
    /// A warning is printed and fails nothing.
    warning: bool,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, message: message.into(), warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{}", self.path, self.line, self.message)
    }
}

const RULES: [fn(&Tree) -> Vec<Finding>; 6] =
    [text::check, size::check, seams::check, unsafe_code::check, links::check, crates::check];

/// Checks the tree and prints what it finds.
///
/// # Errors
/// A rule is broken, or git cannot list the files.
pub fn run() -> Result<()> {
    let tree = Tree::tracked()?;
    let findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    ensure!(errors == 0, "{errors} findings");
    Ok(())
}
