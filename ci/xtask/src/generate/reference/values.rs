//! Values.

use std::collections::BTreeMap;

use super::super::spec::Spec;
use super::wide_table;

pub fn section(spec: &Spec, out: &mut String) {
    let titles = || spec.values.languages.iter().map(|it| spec.interface.naming[it].title.clone());
    let cells = |of: &BTreeMap<String, String>| -> Vec<String> {
        spec.values.languages.iter().map(|it| of.get(it).cloned().unwrap_or_default()).collect()
    };
    let head = |first: &str| -> Vec<String> {
        std::iter::once(first.to_owned()).chain(titles()).collect()
    };
    let row = |first: &str, of: &BTreeMap<String, String>| -> Vec<String> {
        std::iter::once(first.to_owned()).chain(cells(of)).collect()
    };

    *out += "\n## Values\n\nWhat a stored value becomes:\n\n";
    let all = spec.values.all.iter();
    wide_table(out, &head("SQLite"), all.map(|value| row(&value.sqlite, &value.reads)));
    *out += "\nWhat a parameter may be:\n\n";
    let all = spec.values.all.iter();
    wide_table(out, &head("SQLite"), all.map(|value| row(&value.sqlite, &value.binds)));
    *out += "\n";
    for value in &spec.values.all {
        *out += &format!("- {}: {}\n", value.sqlite, value.limits);
    }
    *out += "\nWhat `convert` = `decltype` adds, by the declared type of the column and what is \
             stored:\n\n";
    let conversions = spec.values.conversions.iter();
    let rows = conversions.map(|it| row(&format!("{} ({})", it.declared, it.stored), &it.reads));
    wide_table(out, &head("declared"), rows);
}
