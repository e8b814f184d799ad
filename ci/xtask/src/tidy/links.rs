//! Relative links in Markdown lead to a file or folder of the tree.

use super::Finding;
use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut in_fence = false;
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.trim_start().starts_with("```") {
                in_fence = !in_fence;
            }
            for target in targets(line).filter(|_| !in_fence) {
                let found = resolve(folder, target)
                    .is_some_and(|path| path.is_empty() || tree.paths.contains(&path));
                if !found {
                    let message = format!("a link that leads nowhere: {target}");
                    findings.push(Finding::error(&file.path, number, message));
                }
            }
        }
    }
    findings
}

/// The relative targets of `[text](target)` and `[name]: target`, without their anchors.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let reference = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    let reference = reference.and_then(|(_, target)| target.split_whitespace().next());
    let without_anchor = |target: &str| target.find('#').unwrap_or(target.len());
    inline
        .chain(reference)
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(move |target| &target[..without_anchor(target)])
        .filter(|target| !target.is_empty())
}

/// The path of `target` from the root of the tree; none if it leads out of it.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> usize {
        check(&Tree::fixture(&[("docs/a.md", text), ("core/wire/src/lib.rs", "")])).len()
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        assert_eq!(broken("[x](b.md)\n"), 1);
        assert_eq!(broken("[x](../core/wire/src/gone.rs#L3)\n"), 1);
        assert_eq!(broken("[x](../../outside.md)\n"), 1);
        assert_eq!(broken("[x]: gone.md\n"), 1);
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[x](../core/wire/src/lib.rs#L3), [y](../core/wire) [z](a.md) [w](#here)\n\
                    [v](https://sqlite.org/wal.html) ![u](a.md \"title\")\n```\n[x](b.md)\n```\n";
        assert_eq!(broken(text), 0);
    }
}
