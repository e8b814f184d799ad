//! How each language spells what, and what it has on top.

use super::super::naming::spelled;
use super::super::spec::{Naming, Spec};
use super::{code, wide_table};

pub fn section(spec: &Spec, out: &mut String) {
    *out += "\n## Names\n\n";
    let languages: Vec<(&str, &Naming)> = spec
        .values
        .languages
        .iter()
        .map(|language| (language.as_str(), &spec.interface.naming[language]))
        .collect();
    for (_, naming) in &languages {
        *out += &format!("- {}: {}", naming.title, naming.note);
        for (name, own) in &naming.types {
            *out += &format!(" {} is {}.", code(name), code(own));
        }
        *out += "\n";
    }
    *out += "\n";
    let mut head = vec![String::new()];
    head.extend(languages.iter().map(|(_, naming)| naming.title.clone()));
    let mut rows = Vec::new();
    let mut row = |owner: Option<&str>, name: &str, absent_in: &[String]| {
        let mut cells = vec![owner.unwrap_or_default().to_owned()];
        for (language, naming) in &languages {
            let absent = absent_in.iter().any(|found| found == language);
            cells.push(if absent { String::new() } else { code(&spelled(naming, owner, name)) });
        }
        rows.push(cells);
    };
    for function in &spec.interface.functions {
        row(None, &function.name, &function.absent_in);
    }
    // What a record or an error holds is spelled by the same rules, and needs no table.
    for found in spec.interface.types.iter().filter(|found| !found.record && !found.error) {
        for method in &found.methods {
            let absent: Vec<String> =
                found.absent_in.iter().chain(&method.absent_in).cloned().collect();
            row(Some(&found.name), &method.name, &absent);
        }
        for property in &found.properties {
            row(Some(&found.name), &property.name, &found.absent_in);
        }
    }
    wide_table(out, &head, rows);
}

/// What languages have on top.
pub fn additions(spec: &Spec, out: &mut String) {
    *out +=
        "\n## Additions\n\nWhat a language has on top, because its own standards ask for it.\n\n";
    let head = ["language", "of", "names", "why"].map(str::to_owned);
    let rows = spec.interface.additions.iter().map(|addition| {
        let names: Vec<String> = addition.names.iter().map(|name| code(name)).collect();
        let title = spec.interface.naming[&addition.language].title.clone();
        let of = match addition.of.as_str() {
            "module" if addition.modules.is_empty() => code("dqlite"),
            "module" => addition.modules.iter().map(|it| code(it)).collect::<Vec<_>>().join(", "),
            of => of.to_owned(),
        };
        vec![title, of, names.join(", "), addition.doc.clone()]
    });
    wide_table(out, &head, rows);
}
