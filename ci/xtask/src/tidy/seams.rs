//! The seams: what a simulation must own is asked for where a simulation can answer.
//!
//! Product code takes files, threads and clocks from `dqlite_env::Env` and from tokio, never from
//! the standard library, or a seed would not repeat a run. A library prints nothing. Nothing half
//! done is committed.

use super::Finding;
use super::rust_code::{self, Code};
use super::tree::Tree;

struct Rule {
    /// Full paths of the standard library, or macros with their `!`.
    banned: &'static [&'static str],
    /// Beginnings of paths where it is allowed.
    allowed: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        banned: &["todo!", "unimplemented!", "dbg!"],
        allowed: &[],
        why: "what is not done is not there",
    },
    Rule {
        banned: &["println!", "print!", "eprintln!", "eprint!"],
        allowed: &["core/cli/", "core/sim/", "core/conformance/", "core/bench/", "ci/"],
        why: "a library does not print; use tracing",
    },
    Rule {
        banned: &["std::fs", "std::net::TcpStream", "std::net::TcpListener"],
        allowed: &[
            "core/env/",
            "core/cli/",
            "core/conformance/",
            "core/bench/",
            "ci/",
            // What only a real machine has: a lock on the folder, and devices.
            "core/log/src/backend.rs",
            "core/log/src/backend/threads.rs",
            "core/log/src/backend/uring.rs",
            "core/log/src/lock.rs",
        ],
        why: "a simulation must own files and network; take them from dqlite_env",
    },
    Rule {
        banned: &["std::thread::spawn", "std::thread::Builder", "std::thread::sleep"],
        allowed: &[
            "core/env/",
            "core/cli/",
            "core/conformance/",
            "core/bench/",
            "ci/",
            // The log's threads, which start only with a real backend.
            "core/log/src/backend/threads.rs",
            "core/log/src/backend/uring.rs",
            "core/log/src/open.rs",
            "core/log/src/pool.rs",
        ],
        why: "a simulation has one thread; take blocking calls from dqlite_env",
    },
    Rule {
        banned: &["std::time::Instant", "std::time::SystemTime::now"],
        allowed: &["core/env/", "core/cli/", "core/conformance/", "core/bench/", "ci/"],
        why: "a simulation must own the time; take it from tokio",
    },
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let codes = rust_code::all(tree);
    let mut findings = Vec::new();
    for code in &codes {
        let path = code.file.path.as_str();
        let is_build_script = path.ends_with("/build.rs") && !path.contains("/src/");
        for (number, used) in uses(code) {
            for rule in &RULES {
                let allowed = is_build_script || rule.allowed.iter().any(|a| path.starts_with(a));
                let hit = rule.banned.iter().find(|word| is_or_is_in(&used, word));
                if let (Some(word), false) = (hit, allowed) {
                    findings.push(Finding::error(path, number, format!("{word}: {}", rule.why)));
                }
            }
        }
    }
    findings.dedup();
    findings
}

fn is_or_is_in(used: &str, banned: &str) -> bool {
    used.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path and macro that product code names, imports resolved, with its line.
fn uses(code: &Code<'_>) -> Vec<(usize, String)> {
    let mut imported: Vec<(String, String)> = Vec::new();
    let mut found = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (number, line) in code.product_lines() {
        let trimmed = line.trim();
        let opens = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
            .iter()
            .find_map(|word| trimmed.strip_prefix(word));
        if let Some(rest) = opens {
            pending = Some((number, rest.to_owned()));
        } else if let Some((_, text)) = &mut pending {
            text.push_str(trimmed);
        } else {
            let resolve = |word| (number, resolved(word, &imported));
            found.extend(words(line).into_iter().map(resolve));
        }
        if let Some((start, text)) = pending.take_if(|(_, text)| text.ends_with(';')) {
            for path in flatten(text.trim_end_matches(';')) {
                let (path, name) = match path.split_once(" as ") {
                    Some((path, name)) => (path.trim().to_owned(), name.trim().to_owned()),
                    None => (path.clone(), path.rsplit("::").next().unwrap_or("").to_owned()),
                };
                found.push((start, path.clone()));
                imported.push((name, path));
            }
        }
    }
    found
}

/// `fs::read` becomes `std::fs::read` where `std::fs` was imported.
fn resolved(word: String, imported: &[(String, String)]) -> String {
    let (head, rest) = word.split_once("::").unwrap_or((&word, ""));
    match imported.iter().find(|(name, _)| name == head) {
        Some((_, path)) if rest.is_empty() => path.clone(),
        Some((_, path)) => format!("{path}::{rest}"),
        None => word,
    }
}

/// The paths (`a::b::c`) and macro names (`a!`) in a line of code.
fn words(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '!';
    let pieces = line.split(|c| !is_part(c)).filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.trim_matches(':').to_owned()).collect()
}

/// The full paths of a `use` tree: `a::{b, c::{d}}` gives `a::b` and `a::c::d`.
fn flatten(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.trim().trim_end_matches("::self").to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    let full = |part: &str| match part {
        "self" => vec![prefix.trim().trim_end_matches("::").to_owned()],
        _ => flatten(part).iter().map(|path| format!("{}{path}", prefix.trim())).collect(),
    };
    parts.flat_map(full).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::fixture(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    const PRODUCT: &str = "core/engine/src/lane.rs";

    #[test]
    fn half_done_work_is_found_everywhere_but_in_tests() {
        assert_eq!(lines("ci/xtask/src/x.rs", "fn a() {\n    todo!()\n}\n"), [2]);
        assert_eq!(lines(PRODUCT, "// todo!() is a word here\nlet a = \"dbg!\";\n"), [0; 0]);
        assert_eq!(lines("core/engine/tests/a.rs", "dbg!(1);\n"), [0; 0]);
    }

    #[test]
    fn libraries_do_not_print() {
        assert_eq!(lines(PRODUCT, "println!();\n"), [1]);
        assert_eq!(lines("core/cli/src/main.rs", "println!();\n"), [0; 0]);
        assert_eq!(lines(PRODUCT, "my_println!();\n"), [0; 0]);
    }

    #[test]
    fn the_machine_is_found_by_full_path_and_by_import() {
        assert_eq!(lines(PRODUCT, "std::fs::read(a);\n"), [1]);
        assert_eq!(lines(PRODUCT, "use std::{fs, io};\n"), [1]);
        assert_eq!(lines(PRODUCT, "use std::time::{\n    Duration, Instant,\n};\n"), [1]);
        assert_eq!(lines(PRODUCT, "use std::thread;\nthread::spawn(a);\n"), [2]);
        assert_eq!(lines(PRODUCT, "use std::time as t;\nt::SystemTime::now();\n"), [2]);
        assert_eq!(lines(PRODUCT, "use std::time::SystemTime;\nSystemTime::now();\n"), [2]);
    }

    #[test]
    fn tokio_and_harmless_names_pass() {
        let text = "use tokio::time::Instant;\nuse std::time::Duration;\nuse std::thread;\n\
                    Instant::now();\nthread::panicking();\ntokio::fs::read(a);\nstd::fsx::b();\n";
        assert_eq!(lines(PRODUCT, text), [0; 0]);
    }

    #[test]
    fn rooms_that_own_the_machine_may_use_it() {
        let rooms =
            ["core/env/src/files.rs", "core/log/src/backend/uring.rs", "core/wire/build.rs"];
        for path in rooms {
            assert_eq!(lines(path, "std::fs::read(a);\n"), [0; 0], "{path}");
        }
        assert_eq!(lines("core/log/src/segment.rs", "std::fs::read(a);\n"), [1]);
        assert_eq!(lines("core/log/src/backend/uring.rs", "println!();\n"), [1]);
        assert_eq!(lines("core/log/src/pool.rs", "std::thread::spawn(a);\n"), [0; 0]);
        assert_eq!(lines("core/log/src/pool.rs", "std::fs::read(a);\n"), [1]);
    }
}
