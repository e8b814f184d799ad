//! The tables of the Python package: `_tables.py`, which the classes of the package are made with.

use std::fmt::Write as _;

use super::naming::spelled;
use super::origin;
use super::spec::{Choice, Class, Default, Kind, Spec};

const LANGUAGE: &str = "python";

/// `bindings-python/python/dqlite/_tables.py`
pub fn tables(spec: &Spec) -> String {
    let mut out = format!("# {}\n", origin("core/spec/*.toml"));
    out += "# ruff: noqa: E501\n\
            \"\"\"Errors, options and words, the same in every language.\"\"\"\n\n\
            from __future__ import annotations\n\n\
            from typing import Final, Literal, NamedTuple\n\n";
    words(spec, &mut out);
    classes(spec, &mut out);
    errors(spec, &mut out);
    options(spec, &mut out);
    names(spec, &mut out);
    out
}

/// The sets of words, as types for whoever checks them and as tuples.
fn words(spec: &Spec, out: &mut String) {
    let absent = |languages: &[String]| languages.iter().any(|language| language == LANGUAGE);
    *out += "# fmt: off\n";
    for set in spec.interface.enumerations.iter().filter(|set| !absent(&set.absent_in)) {
        let words = list(set.values.iter().map(|word| quoted(&word.name)));
        line(out, format_args!("{} = Literal[{words}]", set.name));
    }
    *out += "# fmt: on\n";
}

/// The tree of the error classes: each with its parent, parents first.
fn classes(spec: &Spec, out: &mut String) {
    fn below(spec: &Spec, class: &Class, out: &mut String) {
        let parent = class.parent.as_deref().map_or_else(|| "None".to_owned(), quoted);
        line(out, format_args!("    {}: {parent},", quoted(&class.name)));
        for child in spec.errors.children(Some(&class.name)) {
            below(spec, child, out);
        }
    }
    *out += "\n# Each error class and its parent, parents first.\n\
             CLASSES: Final[dict[str, str | None]] = {\n";
    for root in spec.errors.children(None) {
        below(spec, root, out);
    }
    *out += "}\n";
}

fn errors(spec: &Spec, out: &mut String) {
    *out += "\n\nclass ErrorEntry(NamedTuple):\n    \
             \"\"\"What the table says of an error.\"\"\"\n\n    \
             class_name: str\n    \
             code: int\n    \
             name: str\n    \
             retryable: Retryable\n    \
             outcome: Outcome\n\n\n\
             # fmt: off\n\
             # By id.\n\
             ERRORS: Final[dict[str, ErrorEntry]] = {\n";
    for entry in spec.errors.sorted() {
        let texts = [&entry.class, &entry.name, &entry.retryable, &entry.outcome];
        let [class, name, retryable, outcome] = texts.map(|text| quoted(text));
        let (id, code) = (quoted(&entry.id), entry.code);
        line(
            out,
            format_args!("    {id}: ErrorEntry({class}, {code}, {name}, {retryable}, {outcome}),"),
        );
    }
    *out += "}\n# fmt: on\n";
}

fn options(spec: &Spec, out: &mut String) {
    *out += "\n\nclass OptionEntry(NamedTuple):\n    \
             \"\"\"What the table says of an option; durations are in milliseconds.\"\"\"\n\n    \
             kind: str\n    \
             default: bool | int | str | None\n    \
             choices: tuple[str, ...]\n    \
             minimum: int | None\n    \
             maximum: int | None\n    \
             required: bool\n    \
             scopes: tuple[str, ...]\n    \
             in_url: bool\n\n\n\
             # fmt: off\n\
             # By name.\n\
             OPTIONS: Final[dict[str, OptionEntry]] = {\n";
    for option in spec.options.all.iter().filter(|option| option.is_in(LANGUAGE)) {
        let set = option.choices.as_deref().and_then(|name| spec.enumeration(name));
        let choices = set.iter().flat_map(|set| &set.values).map(|word| quoted(&word.name));
        let fields = [
            quoted(kind(option.kind)),
            default(option),
            tuple(choices),
            option.min.map_or_else(|| "None".to_owned(), |min| min.to_string()),
            option.max.map_or_else(|| "None".to_owned(), |max| max.to_string()),
            truth(option.required).to_owned(),
            tuple(option.scopes.iter().map(|scope| quoted(scope))),
            truth(option.url).to_owned(),
        ];
        let name = quoted(&option.name);
        line(out, format_args!("    {name}: OptionEntry({}),", fields.join(", ")));
    }
    *out += "}\n# fmt: on\n";
}

/// Names that Python spells in a way of its own.
fn names(spec: &Spec, out: &mut String) {
    let naming = &spec.interface.naming[LANGUAGE];
    *out += "\n# What other languages call what PEP 249 has a name for.\n\
             SPELLINGS: Final[dict[str, str]] = {\n";
    for name in naming.words.keys() {
        let spelling = quoted(&spelled(naming, None, name));
        line(out, format_args!("    {}: {spelling},", quoted(name)));
    }
    *out += "}\n";
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Integer => "integer",
        Kind::Duration => "duration",
        Kind::Text => "text",
        Kind::Choice => "choice",
        Kind::Path => "path",
        Kind::Addresses => "addresses",
    }
}

fn default(option: &Choice) -> String {
    match option.default_in.get(LANGUAGE).or(option.default.as_ref()) {
        None => "None".to_owned(),
        Some(Default::Bool(value)) => truth(*value).to_owned(),
        Some(Default::Integer(number)) => number.to_string(),
        Some(Default::Text(text)) => quoted(text),
    }
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A text as Python writes it. The description has no character that needs more than this.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn tuple(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        items => format!("({})", items.join(", ")),
    }
}

fn line(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = writeln!(out, "{arguments}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_other_languages_have_is_left_out() {
        let text = tables(&Spec::read().unwrap());
        assert!(!text.contains("\"integers\"") && !text.contains("Integers = "));
        assert!(text.contains("\"autocommit\": OptionEntry(\"bool\", False,"));
        assert!(text.contains("\"execute_many\": \"executemany\","));
    }

    #[test]
    fn parents_stand_before_their_children() {
        let text = tables(&Spec::read().unwrap());
        let at = |what: &str| text.find(what).unwrap();
        assert!(at("    \"Error\": None") < at("    \"DatabaseError\": \"Error\""));
        assert!(at("\"DatabaseError\": \"Error\"") < at("\"BusyError\": \"OperationalError\""));
    }

    #[test]
    fn python_reads_what_is_written() {
        assert_eq!(quoted("a\"b\\"), "\"a\\\"b\\\\\"");
        assert_eq!(tuple(["1".to_owned()].into_iter()), "(1,)");
        assert_eq!(tuple(std::iter::empty()), "()");
    }
}
