//! `unsafe` has an address, and each block says why it is sound.

use super::Finding;
use super::rust_code::{self, Code};
use super::tree::Tree;

/// Rooms that speak C, or to the kernel.
const FOLDERS: [&str; 3] = ["core/vfs/", "core/capi/", "bindings-"];

/// Lines above a block in which its reason may begin.
const REASON_LINES: usize = 10;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let codes = rust_code::all(tree);
    codes.iter().flat_map(check_code).collect()
}

fn check_code(code: &Code<'_>) -> Vec<Finding> {
    let path = code.file.path.as_str();
    let allowed = FOLDERS.iter().any(|folder| path.starts_with(folder))
        || (path.starts_with("core/log/src/") && path.contains("uring"));
    let text: Vec<&str> = code.file.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in code.lines.iter().enumerate() {
        let Some(next) = after_unsafe(line) else { continue };
        if !allowed {
            findings.push(Finding::error(path, at + 1, "unsafe outside the rooms that may"));
            continue;
        }
        let is_claim = next.starts_with('{') || next.starts_with("impl");
        let reason = text[at.saturating_sub(REASON_LINES)..=at].iter();
        if is_claim && !reason.clone().any(|line| line.contains("SAFETY:")) {
            findings.push(Finding::error(path, at + 1, "unsafe without a SAFETY: sentence"));
        }
    }
    findings
}

/// What follows the word `unsafe` in a line of code.
fn after_unsafe(line: &str) -> Option<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices("unsafe").find_map(|(at, word)| {
        let rest = &line[at + word.len()..];
        let whole = !line[..at].ends_with(is_word) && !rest.starts_with(is_word);
        whole.then(|| rest.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::fixture(&[(path, text)])).len()
    }

    #[test]
    fn unsafe_has_an_address() {
        let text = "// SAFETY: it is.\nunsafe { a() }\n";
        assert_eq!(count("core/engine/src/a.rs", text), 1);
        assert_eq!(count("core/log/src/segment.rs", text), 1);
        assert_eq!(count("core/log/src/io_uring.rs", text), 0);
        assert_eq!(count("core/vfs/src/a.rs", text), 0);
        assert_eq!(count("core/engine/src/a.rs", "#![forbid(unsafe_code)]\n// unsafe\n"), 0);
    }

    #[test]
    fn a_block_says_why_it_is_sound() {
        assert_eq!(count("core/vfs/src/a.rs", "unsafe { a() }\n"), 1);
        assert_eq!(count("core/vfs/src/a.rs", "unsafe impl Send for A {}\n"), 1);
        assert_eq!(count("core/vfs/src/a.rs", "unsafe extern \"C\" fn a() {}\n"), 0);
    }
}
