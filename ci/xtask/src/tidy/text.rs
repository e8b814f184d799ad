//! Lines of text: width, white space, merge markers, and names that do not belong in a repository.

use super::Finding;
use super::tree::{SourceFile, Tree};

/// As in `rustfmt.toml`, which leaves comments and literals alone.
const WIDTH_MAX_CHARS: usize = 100;

/// Folders of the machine that somebody worked on.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk"), concat!("/ro", "ot")];

/// Where packages come from is the package managers' business, not the tree's.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npm", "js"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("repo.maven", ".apache"),
    concat!("repo1", ".maven"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let checked = tree.files.iter().filter(|file| !file.is_lock() && file.path != "LICENSE");
    checked.flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let is_rust = file.has_extension("rs");
    let may_be_wide = file.is_generated() || file.path.contains("tables");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.split('\n')) {
        let mut find = |message: String| findings.push(Finding::error(&file.path, number, message));
        if line.ends_with([' ', '\t', '\r']) {
            find("white space at the end of the line".into());
        }
        if is_rust && line.contains('\t') {
            find("a tab".into());
        }
        let width = line.chars().count();
        if is_rust && !may_be_wide && width > WIDTH_MAX_CHARS && !line.contains("https://") {
            find(format!("{width} characters wide, {WIDTH_MAX_CHARS} are allowed"));
        }
        if is_merge_marker(line) {
            find("a merge marker".into());
        }
        for folder in MACHINE_PATHS.iter().filter(|folder| names_folder(line, folder)) {
            find(format!("a path of one machine: {folder}"));
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(**host)) {
            find(format!("a registry's host name: {host}"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::error(&file.path, 0, "no line break at the end of the file"));
    }
    findings
}

fn is_merge_marker(line: &str) -> bool {
    let marks = ["<<<<<<<", ">>>>>>>", "|||||||"];
    marks
        .iter()
        .any(|mark| line.strip_prefix(mark).is_some_and(|rest| !rest.starts_with(['<', '>'])))
        || line == "======="
}

/// Whether `folder` stands in the line as the beginning of a path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let inside_path = |c: char| c.is_alphanumeric() || "_-.*}/)".contains(c);
        let inside_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        !line[..at].ends_with(inside_path) && !line[at + folder.len()..].starts_with(inside_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let findings = check(&Tree::fixture(&[(path, text)]));
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn wide_lines_are_found_by_characters_not_bytes() {
        assert_eq!(messages("a.rs", &format!("// {}\n", "é".repeat(97))), [""; 0]);
        assert_eq!(messages("a.rs", &format!("// {}\n", "é".repeat(98))).len(), 1);
        assert_eq!(messages("a/tests/vectors/b.rs", &format!("{}\n", "x".repeat(200))), [""; 0]);
    }

    #[test]
    fn white_space_is_found() {
        assert_eq!(messages("a.md", "a \n").len(), 1);
        assert_eq!(messages("a.rs", "\ta\n"), ["a tab"]);
        assert_eq!(messages("Makefile", "\ta\n"), [""; 0]);
        assert_eq!(messages("a.md", "a"), ["no line break at the end of the file"]);
    }

    #[test]
    fn merge_markers_are_found() {
        let mark = "<".repeat(7);
        assert_eq!(messages("a.c", &format!("{mark} HEAD\n")), ["a merge marker"]);
        assert_eq!(messages("a.c", "x <<= 1;\n"), [""; 0]);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let folder = MACHINE_PATHS[0];
        assert_eq!(messages("a.md", &format!("see {folder}/x\n")).len(), 1);
        assert_eq!(messages("a.md", &format!("`{folder}`\n")).len(), 1);
        assert_eq!(messages("a.md", &format!("net{folder}/x, {folder}flow\n")), [""; 0]);
    }

    #[test]
    fn registry_hosts_are_found_except_in_lock_files() {
        let line = format!("from https://{}/x\n", REGISTRY_HOSTS[0]);
        assert_eq!(messages("docs/a.md", &line).len(), 1);
        assert_eq!(messages("Cargo.lock", &line), [""; 0]);
    }
}
