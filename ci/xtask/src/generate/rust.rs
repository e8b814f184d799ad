//! The tables of the crate `dqlite`. What their entries are is written by hand beside them, in
//! `entry.rs`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::naming::in_case;
use super::origin;
use super::spec::{Case, Choice, Default, Kind, Spec};
use crate::process;

/// `core/dqlite/src/error/table.rs`
pub fn errors(spec: &Spec) -> Result<String> {
    let mut out = format!("//! {}\n\n", origin("core/spec/errors.toml"));
    out += "use super::{Entry, ErrorClass, Outcome, Retryable};\n\n\
            /// Every error, in the order of the ids.\n\
            pub static ERRORS: &[Entry] = &[\n";
    for entry in spec.errors.sorted() {
        writeln!(
            out,
            "    Entry {{ id: {:?}, class: ErrorClass::{}, code: {}, name: {:?}, \
             retryable: Retryable::{}, outcome: Outcome::{} }},",
            entry.id,
            entry.class.strip_suffix("Error").unwrap_or(&entry.class),
            number(entry.code),
            entry.name,
            in_case(Case::Pascal, &entry.retryable),
            in_case(Case::Pascal, &entry.outcome),
        )?;
    }
    out += "];\n";
    formatted(&out)
}

/// `core/dqlite/src/options/table.rs`
pub fn options(spec: &Spec) -> Result<String> {
    let mut out = format!("//! {}\n\n", origin("core/spec/options.toml"));
    out += "use super::{Kind, OptionEntry, Scope};\n\n\
            /// Every option, in the order of the reference.\n\
            pub static OPTIONS: &[OptionEntry] = &[\n";
    for option in spec.options.all.iter().filter(|option| option.is_in("rust")) {
        let scopes: Vec<String> = option
            .scopes
            .iter()
            .map(|it| format!("Scope::{}", in_case(Case::Pascal, it)))
            .collect();
        writeln!(
            out,
            "    OptionEntry {{ name: {:?}, kind: {}, required: {}, scopes: &[{}], in_url: {}, \
             doc: {:?} }},",
            option.name,
            kind(spec, option),
            option.required,
            scopes.join(", "),
            option.url,
            option.doc,
        )?;
    }
    out += "];\n";
    formatted(&out)
}

fn kind(spec: &Spec, option: &Choice) -> String {
    let default = option
        .default_number()
        .map_or_else(|| "None".to_owned(), |default| format!("Some({})", number(default as i64)));
    let min = option.min.unwrap_or(0);
    let max = option.max.map_or_else(|| "u64::MAX".to_owned(), |max| number(max as i64));
    match option.kind {
        Kind::Bool => {
            format!("Kind::Bool {{ default: {} }}", option.default == Some(Default::Bool(true)))
        }
        Kind::Integer => format!("Kind::Integer {{ default: {default}, min: {min}, max: {max} }}"),
        Kind::Duration => {
            format!("Kind::Duration {{ default_ms: {default}, min_ms: {min}, max_ms: {max} }}")
        }
        Kind::Choice => {
            let set = option.choices.as_deref().and_then(|name| spec.enumeration(name));
            let words: Vec<&str> =
                set.iter().flat_map(|set| &set.values).map(|it| it.name.as_str()).collect();
            let default = match &option.default {
                Some(Default::Text(word)) => format!("Some({word:?})"),
                _ => "None".to_owned(),
            };
            format!("Kind::Choice {{ default: {default}, choices: &{words:?} }}")
        }
        Kind::Text => "Kind::Text".to_owned(),
        Kind::Path => "Kind::Path".to_owned(),
        Kind::Addresses => "Kind::Addresses".to_owned(),
    }
}

/// With `_` between groups of three digits, as clippy wants long numbers.
fn number(number: i64) -> String {
    let digits = number.to_string();
    if digits.len() < 6 {
        return digits;
    }
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// As rustfmt leaves it.
pub fn formatted(text: &str) -> Result<String> {
    let mut command = process::command("rustfmt", &["--edition", "2024"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    // rustfmt reads to the end before it writes, so neither waits for the other.
    child.stdin.take().context("a piped child has a standard input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_have_groups() {
        assert_eq!(
            [10_250, 100_101, 4_294_967_295].map(number),
            ["10250", "100_101", "4_294_967_295"]
        );
    }

    #[test]
    fn errors_are_sorted_by_id() {
        let text = errors(&Spec::read().unwrap()).unwrap();
        let field = |line: &str| line.trim().strip_prefix("id: ").map(str::to_owned);
        let ids: Vec<String> = text.lines().filter_map(field).collect();
        assert!(ids.len() > 100 && ids.is_sorted(), "{ids:?}");
    }
}
