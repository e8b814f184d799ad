//! What C has of the description: constants in a header, and the numbers behind them in Rust.

use std::fmt::Write as _;

use anyhow::Result;

use super::naming::in_case;
use super::origin;
use super::rust::formatted;
use super::spec::{Case, Enumeration, Spec};

const LANGUAGE: &str = "c";

/// The classes that errors have, numbered from 1: the bases of others have no number.
fn classes(spec: &Spec) -> Vec<(String, &str)> {
    let is_base = |name: &str| matches!(name, "Error" | "DatabaseError");
    let all = spec.errors.classes.iter().filter(|class| !is_base(&class.name));
    all.map(|class| (constant(class.name.trim_end_matches("Error")), class.name.as_str())).collect()
}

/// `NotLeader` or `leader.lost` as `NOT_LEADER`, `LEADER_LOST`.
fn constant(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(if letter == '.' { '_' } else { letter.to_ascii_uppercase() });
    }
    out
}

/// Enumerations whose words are numbers in C, and what stands before them.
const NUMBERED: [(&str, &str); 5] = [
    ("Retryable", "RETRYABLE"),
    ("Outcome", "OUTCOME"),
    ("Role", "ROLE"),
    ("TransactionMode", "TRANSACTION"),
    ("Convert", "CONVERT"),
];

/// The kinds of values in batches and parameters, with the numbers of docs/formats/row-batch.md.
const VALUES: [&str; 5] = ["NULL", "INTEGER", "REAL", "TEXT", "BLOB"];

fn numbered(spec: &Spec) -> impl Iterator<Item = (&'static str, &Enumeration)> {
    NUMBERED.iter().filter_map(|(name, prefix)| Some((*prefix, spec.enumeration(name)?)))
}

/// `include/dqlite_tables.h`
pub fn header(spec: &Spec) -> String {
    let mut out = format!("// {}\n", origin("core/spec/*.toml"));
    out += "#ifndef DQLITE_TABLES_H\n#define DQLITE_TABLES_H\n";
    section(&mut out, "The kinds of values in batches and parameters.");
    for (number, name) in VALUES.iter().enumerate() {
        define(&mut out, name, &number.to_string(), "");
    }
    section(&mut out, "The classes of errors, which calls return. 0 is success.");
    for (number, (name, class)) in classes(spec).iter().enumerate() {
        define(&mut out, &format!("CLASS_{name}"), &(number + 1).to_string(), class);
    }
    for (prefix, set) in numbered(spec) {
        section(&mut out, &set.doc);
        for (number, word) in set.values.iter().enumerate() {
            let name = format!("{prefix}_{}", constant(&word.name));
            define(&mut out, &name, &number.to_string(), &word.doc);
        }
    }
    section(&mut out, "The names of options.");
    for option in spec.options.all.iter().filter(|option| option.is_in(LANGUAGE)) {
        let name = format!("OPTION_{}", constant(&option.name));
        define(&mut out, &name, &format!("{:?}", option.name), &option.doc);
    }
    section(&mut out, "What names errors for good.");
    for entry in spec.errors.sorted() {
        let name = format!("ID_{}", constant(&entry.id));
        define(&mut out, &name, &format!("{:?}", entry.id), &entry.doc);
    }
    section(&mut out, "The codes of errors.");
    for entry in spec.errors.sorted() {
        define(
            &mut out,
            &format!("CODE_{}", constant(&entry.id)),
            &entry.code.to_string(),
            &entry.name,
        );
    }
    out += "\n#endif /* DQLITE_TABLES_H */\n";
    out
}

fn section(out: &mut String, doc: &str) {
    *out += &format!("\n/* {doc} */\n\n");
}

fn define(out: &mut String, name: &str, value: &str, doc: &str) {
    if !doc.is_empty() {
        *out += &format!("/* {} */\n", doc.replace('`', ""));
    }
    *out += &format!("#define DQLITE_{name} {value}\n");
}

/// `core/capi/src/tables.rs`
pub fn numbers(spec: &Spec) -> Result<String> {
    let mut out = format!("//! {}\n\n", origin("core/spec/*.toml"));
    out += "use std::ffi::c_int;\n\nuse dqlite::{ErrorClass, Outcome, Retryable};\n\n";
    for (prefix, set) in numbered(spec) {
        for (number, word) in set.values.iter().enumerate() {
            let name = constant(&word.name);
            writeln!(out, "pub(crate) const {prefix}_{name}: c_int = {number};")?;
        }
    }
    out += "\n/// `DQLITE_CLASS_*`\n\
            pub(crate) fn class_number(class: ErrorClass) -> c_int {\n    match class {\n";
    for (number, (_, class)) in classes(spec).iter().enumerate() {
        let variant = class.strip_suffix("Error").unwrap_or(class);
        writeln!(out, "        ErrorClass::{variant} => {},", number + 1)?;
    }
    out += "        _ => 0,\n    }\n}\n";
    for (kind, function) in [("Retryable", "retryable_number"), ("Outcome", "outcome_number")] {
        let prefix = constant(kind);
        writeln!(out, "\n/// `DQLITE_{prefix}_*`")?;
        writeln!(out, "pub(crate) fn {function}(it: {kind}) -> c_int {{\n    match it {{")?;
        let set = spec.enumeration(kind);
        for word in set.iter().flat_map(|set| &set.values) {
            let (variant, name) = (in_case(Case::Pascal, &word.name), constant(&word.name));
            writeln!(out, "        {kind}::{variant} => {prefix}_{name},")?;
        }
        out += "    }\n}\n";
    }
    formatted(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_constants() {
        assert_eq!(
            ["NotLeader", "leader.lost", "io.fsync", "no"].map(constant),
            ["NOT_LEADER", "LEADER_LOST", "IO_FSYNC", "NO"]
        );
    }

    #[test]
    fn no_name_stands_for_two_things() {
        let text = header(&Spec::read().unwrap());
        let mut names: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("#define DQLITE_")).collect();
        names.iter_mut().for_each(|line| *line = line.split(' ').next().unwrap_or_default());
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(all > 300, "{all}");
    }
}
