//! What of a Rust file is code, and what of that is test code.
//!
//! 1. `Code::lines` has as many lines as the file, each as long; comments and literals are spaces,
//!    so that a word in a sentence is never taken for a call.
//! 2. Test code is what stands under `#[cfg(test)]`, in a file that such a line declares, or in a
//!    folder named `tests`, `benches` or `examples`.

use std::collections::BTreeSet;

use super::tree::{SourceFile, Tree};

/// A Rust file whose comments and literals are blanked.
pub struct Code<'a> {
    pub file: &'a SourceFile,
    pub lines: Vec<String>,
    is_test: Vec<bool>,
}

impl Code<'_> {
    /// The lines that are not test code, numbered from 1.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().zip(&self.is_test).enumerate();
        lines.filter(|(_, (_, is_test))| !**is_test).map(|(at, (line, _))| (at + 1, line.as_str()))
    }
}

/// Every Rust file of the tree, read as code.
pub fn all(tree: &Tree) -> Vec<Code<'_>> {
    let mut codes: Vec<Code<'_>> = tree.with_extension("rs").map(read).collect();
    let test_files: BTreeSet<String> = codes.iter().flat_map(declared_test_files).collect();
    for code in &mut codes {
        let path = &code.file.path;
        if test_files.contains(path) || in_test_folder(path) {
            code.is_test.fill(true);
        }
    }
    codes
}

fn in_test_folder(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"))
}

fn read(file: &SourceFile) -> Code<'_> {
    let lines: Vec<String> = blank(&file.text).lines().map(str::to_owned).collect();
    let mut is_test = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        if is_cfg_test(&lines[at]) {
            let end = item_end(&lines, at);
            is_test[at..=end].fill(true);
            at = end;
        }
        at += 1;
    }
    Code { file, lines, is_test }
}

fn is_cfg_test(line: &str) -> bool {
    line.trim_start().starts_with("#[cfg(test)]")
}

/// The last line of the item under the attribute at `start`, in a file that rustfmt has laid out.
fn item_end(lines: &[String], start: usize) -> usize {
    let indent = &lines[start][..lines[start].len() - lines[start].trim_start().len()];
    let close = format!("{indent}}}");
    for (at, line) in lines.iter().enumerate().skip(start) {
        let code = line.trim_end();
        let is_attribute = code.trim_start().starts_with("#[");
        let ends_at_once = code.ends_with(';') || code.ends_with("{}") || code.ends_with(',');
        let same_level = code.strip_prefix(indent).is_some_and(|rest| !rest.starts_with(' '));
        if code.starts_with(&close) || (ends_at_once && same_level && !is_attribute) {
            return at;
        }
    }
    lines.len() - 1
}

/// The files of modules declared as `#[cfg(test)] mod name;`.
fn declared_test_files(code: &Code<'_>) -> Vec<String> {
    let folder = code.file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stem = code.file.path.trim_end_matches(".rs");
    let mut files = Vec::new();
    for (line, _) in code.lines.iter().zip(&code.is_test).filter(|(_, is_test)| **is_test) {
        let Some(rest) = line.trim().strip_suffix(';') else { continue };
        if let Some((_, name)) = rest.split_once("mod ") {
            for base in [folder, stem] {
                files.push(format!("{base}/{name}.rs"));
                files.push(format!("{base}/{name}/mod.rs"));
            }
        }
    }
    files
}

/// Replaces comments and the insides of literals by spaces, keeping every line break.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_comment(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => block_comment(&chars, at),
            '"' => string(&chars, at),
            'r' if !follows_word(&chars, at) => raw_string(&chars, at).unwrap_or(at),
            'b' | 'c' if !follows_word(&chars, at) && chars.get(at + 1) == Some(&'r') => {
                raw_string(&chars, at + 1).unwrap_or(at)
            }
            '\'' => character(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn follows_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn line_comment(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length)
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a raw string whose `r` stands at `start`; none if it is not one.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let mut at = start + 1 + hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
        if closes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(chars.len())
}

/// The end of a character literal; `start` itself for a lifetime.
fn character(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => {
            let close = chars.iter().skip(start + 3).position(|&c| c == '\'');
            close.map_or(chars.len(), |length| start + 4 + length)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let source =
            "a // b\n/* c /* d */ e */ f(\"g\\\"h\", r#\"i\"j\"#, 'k', '\\n', b\"l\") 'm: n";
        let blanked = blank(source);
        assert_eq!(blanked.chars().count(), source.chars().count());
        for letter in "bcdeghijkl".chars().filter(|&c| c != 'b') {
            assert!(!blanked.contains(letter), "{letter} in {blanked:?}");
        }
        for kept in ["a ", "f(", "'m: n"] {
            assert!(blanked.contains(kept), "{kept} in {blanked:?}");
        }
    }

    fn product(path: &str, files: &[(&str, &str)]) -> String {
        let tree = Tree::fixture(files);
        let codes = all(&tree);
        let code = codes.iter().find(|code| code.file.path == path).unwrap();
        code.product_lines().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_test_module_is_not_product_but_what_follows_is() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        assert_eq!(product("src/x.rs", &[("src/x.rs", source)]), "fn a() {}\nfn c() {}");
    }

    #[test]
    fn a_test_only_method_is_not_product() {
        let method = "    #[cfg(test)]\n    #[must_use]\n    fn b(&self) {\n        d;\n    }\n";
        let source = format!("impl A {{\n{method}    fn c() {{}}\n}}\n");
        assert_eq!(product("src/x.rs", &[("src/x.rs", &source)]), "impl A {\n    fn c() {}\n}");
    }

    #[test]
    fn a_declared_test_file_is_not_product() {
        let files =
            [("src/x.rs", "#[cfg(test)]\nmod tests;\nfn a() {}\n"), ("src/x/tests.rs", "b();\n")];
        assert_eq!(product("src/x.rs", &files), "fn a() {}");
        assert_eq!(product("src/x/tests.rs", &files), "");
    }
}
