//! `docs/reference.md`: the whole interface for people.

mod calls;
mod errors;
mod names;
mod options;
mod values;

use super::origin;
use super::spec::Spec;

/// The page.
pub fn page(spec: &Spec) -> String {
    let mut out = format!("<!-- {} -->\n", origin("core/spec/*.toml"));
    out += "# Reference\n\n\
            One interface in every language, under the same names in the language's own case: \
            [names](#names). Names are written here as in Rust.\n\n\
            [Opening](#opening) · [Types](#types) · [Words](#words) · [Options](#options) · \
            [Values](#values) · [Errors](#errors) · [Names](#names) · [Additions](#additions)\n";
    calls::opening(spec, &mut out);
    calls::types(spec, &mut out);
    words(spec, &mut out);
    options::section(spec, &mut out);
    values::section(spec, &mut out);
    errors::section(spec, &mut out);
    names::section(spec, &mut out);
    names::additions(spec, &mut out);
    out
}

fn words(spec: &Spec, out: &mut String) {
    *out += "\n## Words\n";
    for set in &spec.interface.enumerations {
        *out += &format!("\n### {}\n\n{}\n\n", set.name, set.doc);
        let rows = set.values.iter().map(|word| [code(&word.name), word.doc.clone()]);
        table(out, ["word", "meaning"], rows);
    }
}

/// A table; what a `|` would break is mended here.
fn table<const N: usize>(
    out: &mut String,
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    let mut row = |cells: &[String]| {
        *out += &format!("| {} |\n", cells.join(" | "));
    };
    row(&head.map(str::to_owned));
    row(&head.map(|_| "---".to_owned()));
    for cells in rows {
        row(&cells.map(|cell| cell.replace('|', "\\|")));
    }
}

/// A table with as many columns as its head.
fn wide_table(out: &mut String, head: &[String], rows: impl IntoIterator<Item = Vec<String>>) {
    *out += &format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for cells in rows {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        *out += &format!("| {} |\n", cells.join(" | "));
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// Milliseconds as people write them.
fn span(milliseconds: u64) -> String {
    match milliseconds {
        0 => "0".to_owned(),
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_form() {
        let mut out = String::new();
        table(&mut out, ["a", "b"], [["x | y".to_owned(), code("")]]);
        assert_eq!(out, "| a | b |\n| --- | --- |\n| x \\| y |  |\n");
        assert_eq!([0, 500, 10_000].map(span), ["0", "500 ms", "10 s"]);
    }

    #[test]
    fn everything_stands_on_the_page() {
        let spec = Spec::read().unwrap();
        let page = page(&spec);
        for entry in &spec.errors.entries {
            assert!(page.contains(&format!("`{}`", entry.id)), "{}", entry.id);
        }
        for option in &spec.options.all {
            assert!(page.contains(&format!("| `{}` |", option.name)), "{}", option.name);
        }
        for method in spec.interface.types.iter().flat_map(|found| &found.methods) {
            assert!(page.contains(&format!("`{}(", method.name)), "{}", method.name);
        }
    }
}
