//! Every crate opens with what it is, and stands on the map.

use super::Finding;
use super::tree::Tree;

const MAP: &str = "docs/architecture.md";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &tree.files {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        if !manifest.text.lines().any(|line| line.trim() == "[package]") {
            continue;
        }
        for name in ["lib.rs", "main.rs"] {
            let root = format!("{folder}/src/{name}");
            let opens_well = tree.text(&root).is_none_or(|text| text.starts_with("//! "));
            if !opens_well {
                findings.push(Finding::error(&root, 1, "the crate does not say what it is"));
            }
        }
        // A crate of fuzz targets belongs to the crate that it stands in.
        let is_own = !folder.ends_with("/fuzz");
        if is_own && tree.text(MAP).is_some_and(|map| !map.contains(folder)) {
            let message = format!("{folder} does not stand in {MAP}");
            findings.push(Finding::error(&manifest.path, 0, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("core/wire/Cargo.toml", "[package]\nname = \"dqlite-wire\"\n");

    #[test]
    fn a_crate_says_what_it_is() {
        let silent = ("core/wire/src/lib.rs", "mod frame;\n");
        let spoken = ("core/wire/src/lib.rs", "//! The client protocol.\n");
        assert_eq!(check(&Tree::fixture(&[MANIFEST, silent])).len(), 1);
        assert_eq!(check(&Tree::fixture(&[MANIFEST, spoken])).len(), 0);
    }

    #[test]
    fn a_crate_stands_on_the_map_once_there_is_one() {
        assert_eq!(check(&Tree::fixture(&[MANIFEST])).len(), 0);
        assert_eq!(check(&Tree::fixture(&[MANIFEST, (MAP, "Nothing yet.\n")])).len(), 1);
        assert_eq!(check(&Tree::fixture(&[MANIFEST, (MAP, "See core/wire.\n")])).len(), 0);
    }
}
