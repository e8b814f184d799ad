//! The crate has what `core/spec` says, and nothing else.
//!
//! Rust has no reflection, so the crate's own source is read: what it exports, and which public
//! methods and fields its types have, for the asynchronous face and for the blocking one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod description;
mod surface;

use std::collections::BTreeSet;

use dqlite::{ConnectOptions, ERRORS, ErrorClass, Kind, NodeSettings, OPTIONS, OptionEntry, Scope};

use description::{Described, Description};
use surface::Surface;

#[test]
fn the_crate_exports_what_is_described() {
    let expected = Description::read().exports();
    let found = Surface::asynchronous().exports;
    assert_eq!(missing(&expected, &found), NONE, "missing");
    assert_eq!(missing(&found, &expected), NONE, "not described");
}

#[test]
fn types_have_the_methods_that_are_described() {
    let surface = Surface::asynchronous();
    for described in Description::read().types() {
        match surface.members.get(&described.name) {
            Some(found) => compare("async", &described, found),
            // What is re-exported is not in this crate's source.
            None => assert!(described.is_data, "there is no {}", described.name),
        }
    }
}

#[test]
fn what_waits_has_a_blocking_twin() {
    let surface = Surface::blocking();
    for described in Description::read().types().iter().filter(|it| it.is_twofold) {
        let name = &described.name;
        assert!(surface.exports.contains(name), "blocking has no {name}");
        compare("blocking", described, &surface.members[name]);
    }
    for function in ["connect", "recover"] {
        assert!(surface.exports.contains(function), "blocking has no {function}");
    }
}

fn compare(face: &str, described: &Described, found: &BTreeSet<String>) {
    let Described { name, required, allowed, .. } = described;
    assert_eq!(missing(required, found), NONE, "{face} {name}: missing");
    let known: BTreeSet<String> = required.union(allowed).cloned().collect();
    assert_eq!(missing(found, &known), NONE, "{face} {name}: not described");
}

#[test]
fn every_option_can_be_set_by_its_name() {
    for option in OPTIONS {
        for text in samples(option) {
            if option.scopes.contains(&Scope::Connect) {
                let set = ConnectOptions::default().set(option.name, &text);
                assert!(set.is_ok(), "{} = {text}: {set:?}", option.name);
            }
            // What must be given is given to `new`.
            if option.scopes.contains(&Scope::Node) && !option.required {
                let set = NodeSettings::new("data", "@node").set(option.name, &text);
                assert!(set.is_ok(), "{} = {text}: {set:?}", option.name);
            }
        }
    }
}

#[test]
fn an_option_belongs_where_the_table_says() {
    for option in OPTIONS {
        let text = samples(option).remove(0);
        let connect = ConnectOptions::default().set(option.name, &text);
        assert_eq!(connect.is_ok(), option.scopes.contains(&Scope::Connect), "{}", option.name);
        let node = NodeSettings::new("data", "@node").set(option.name, &text);
        let of_node = option.scopes.contains(&Scope::Node) && !option.required;
        assert_eq!(node.is_ok(), of_node, "{}", option.name);
        for refused in [connect, node].into_iter().filter_map(Result::err) {
            assert_eq!(refused.id(), "option.unknown", "{}", option.name);
        }
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    let mut tried = 0;
    for option in OPTIONS {
        for text in wrong(option) {
            let refused = match option.scopes.contains(&Scope::Connect) {
                true => ConnectOptions::default().set(option.name, &text),
                false => NodeSettings::new("data", "@node").set(option.name, &text),
            };
            let error = refused.expect_err(&format!("{} = {text}", option.name));
            assert_eq!(error.id(), "option.value", "{} = {text}", option.name);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn the_tables_are_those_of_the_description() {
    let description = Description::read();
    let ids: BTreeSet<String> = ERRORS.iter().map(|entry| entry.id.to_owned()).collect();
    assert_eq!(ids, description.error_ids());
    let names: BTreeSet<String> = OPTIONS.iter().map(|option| option.name.to_owned()).collect();
    assert_eq!(names, description.option_names());
    assert!(ERRORS.windows(2).all(|pair| pair[0].id < pair[1].id), "sorted by id");
    let codes: BTreeSet<i64> = ERRORS.iter().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), ERRORS.len(), "a code belongs to one error");
}

#[test]
fn the_classes_are_those_of_the_description() {
    let described = Description::read().classes();
    // What is only a base is no class of any error.
    let bases = ["Error", "DatabaseError"];
    let expected: BTreeSet<&str> =
        described.keys().map(String::as_str).filter(|name| !bases.contains(name)).collect();
    let found: BTreeSet<&str> = ErrorClass::ALL.iter().map(|class| class.name()).collect();
    assert_eq!(found, expected);
    for class in ErrorClass::ALL {
        let under = described[class.name()].as_deref() == Some("OperationalError");
        let operational = under || class == ErrorClass::Operational;
        assert_eq!(class.is_operational(), operational, "{}", class.name());
    }
}

const NONE: [&str; 0] = [];

fn missing<'a>(wanted: &'a BTreeSet<String>, found: &'a BTreeSet<String>) -> Vec<&'a str> {
    wanted.difference(found).map(String::as_str).collect()
}

/// Texts that the option takes.
fn samples(option: &OptionEntry) -> Vec<String> {
    match option.kind {
        Kind::Bool { .. } => vec!["true".to_owned(), "false".to_owned()],
        Kind::Integer { default, min, max } => {
            let most = max.min(u64::from(u32::MAX));
            [Some(min), default, Some(most)]
                .into_iter()
                .flatten()
                .map(|it| it.to_string())
                .collect()
        }
        Kind::Duration { default_ms, min_ms, .. } => [Some(min_ms), default_ms, Some(60_000)]
            .into_iter()
            .flatten()
            .map(|it| format!("{it}ms"))
            .chain(["10s".to_owned(), "5min".to_owned(), "2.5".to_owned()])
            .collect(),
        Kind::Choice { choices, .. } => choices.iter().map(|&word| word.to_owned()).collect(),
        Kind::Text | Kind::Path | Kind::Addresses => vec!["some".to_owned()],
    }
}

/// Texts that the option does not take.
fn wrong(option: &OptionEntry) -> Vec<String> {
    let below = |min: u64, unit: &str| min.checked_sub(1).map(|it| format!("{it}{unit}"));
    match option.kind {
        Kind::Bool { .. } => vec!["maybe".to_owned()],
        Kind::Integer { min, max, .. } => {
            let above = max.checked_add(1).map(|it| it.to_string());
            let texts = [below(min, ""), above, Some("many".to_owned()), Some("-1".to_owned())];
            texts.into_iter().flatten().collect()
        }
        Kind::Duration { min_ms, .. } => {
            let texts = [below(min_ms, "ms"), Some("soon".to_owned()), Some("-1".to_owned())];
            texts.into_iter().flatten().collect()
        }
        Kind::Choice { .. } => vec!["perhaps".to_owned()],
        Kind::Text | Kind::Path | Kind::Addresses => Vec::new(),
    }
}
