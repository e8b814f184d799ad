//! Errors.

use super::super::spec::{Entry, Spec};
use super::{code, table};

pub fn section(spec: &Spec, out: &mut String) {
    *out += "\n## Errors\n\n";
    tree(spec, None, 0, out);
    *out += "\n`retryable` and `outcome` are what is known where nothing more is: an error that a \
             call ends with may know better. A code of SQLite's that has no row is taken for the \
             family that it belongs to, and the error carries it as it came.\n";
    for class in &spec.errors.classes {
        let mut entries: Vec<&Entry> =
            spec.errors.entries.iter().filter(|entry| entry.class == class.name).collect();
        if entries.is_empty() {
            continue;
        }
        entries.sort_by_key(|entry| entry.code);
        *out += &format!("\n### {}\n\n", class.name);
        let rows = entries.into_iter().map(|entry| {
            [
                code(&entry.id),
                entry.code.to_string(),
                code(&entry.name),
                code(&entry.retryable),
                code(&entry.outcome),
                entry.doc.clone(),
            ]
        });
        table(out, ["id", "code", "name", "retryable", "outcome", "meaning"], rows);
    }
}

fn tree(spec: &Spec, parent: Option<&str>, depth: usize, out: &mut String) {
    for class in spec.errors.children(parent) {
        *out += &format!("{}- `{}`: {}\n", "  ".repeat(depth), class.name, class.doc);
        tree(spec, Some(&class.name), depth + 1, out);
    }
}
