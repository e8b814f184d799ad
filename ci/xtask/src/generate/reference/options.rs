//! Options.

use super::super::spec::{Choice, Default, Kind, Spec};
use super::{code, span, table};

pub fn section(spec: &Spec, out: &mut String) {
    *out += "\n## Options\n\n\
             By name wherever a call takes options, and in the query of a URL where the table says \
             so; both at once is an `InterfaceError`. In a URL a duration is a number and a unit, \
             `250ms`, `10s` or `5min`; without a unit it counts seconds.\n";
    let scopes = [
        ("connect", "Of `connect` and `Node.connect`"),
        ("node", "Of `Node`"),
        ("cluster", "Of `Cluster`"),
    ];
    for (scope, title) in scopes {
        *out += &format!("\n### {title}\n\n");
        let all = spec.options.all.iter();
        let rows = all.filter(|it| it.scopes.iter().any(|found| found == scope)).map(|option| {
            [
                code(&option.name),
                takes(spec, option),
                default(spec, option),
                if option.url { "yes".to_owned() } else { String::new() },
                said(spec, option),
            ]
        });
        table(out, ["option", "takes", "default", "URL", "meaning"], rows);
    }
}

fn takes(spec: &Spec, option: &Choice) -> String {
    let bound = |number: u64| match option.kind {
        Kind::Duration => span(number),
        _ => number.to_string(),
    };
    let bounds = match (option.min, option.max) {
        (Some(min), Some(max)) => format!(", {} to {}", bound(min), bound(max)),
        (Some(min), None) if min > 0 => format!(", {} or more", bound(min)),
        _ => String::new(),
    };
    match option.kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Integer => match option.unit.as_deref() {
            Some(unit) => format!("a number of {unit}{bounds}"),
            None => format!("a number{bounds}"),
        },
        Kind::Duration => format!("a duration{bounds}"),
        Kind::Text => "a text".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Addresses => "addresses".to_owned(),
        Kind::Choice => {
            let set = option.choices.as_deref().and_then(|name| spec.enumeration(name));
            let words: Vec<String> =
                set.iter().flat_map(|set| &set.values).map(|word| code(&word.name)).collect();
            words.join(", ")
        }
    }
}

fn default(spec: &Spec, option: &Choice) -> String {
    if option.required {
        return "must be given".to_owned();
    }
    let said = |default: &Default| match default {
        Default::Bool(value) => value.to_string(),
        Default::Integer(number) if option.kind == Kind::Duration => span(*number),
        Default::Integer(number) => number.to_string(),
        Default::Text(text) => code(text),
    };
    let mut text = match (&option.default, &option.without) {
        (Some(default), _) => said(default),
        (None, Some(without)) => without.clone(),
        (None, None) => String::new(),
    };
    for (language, default) in &option.default_in {
        let title = &spec.interface.naming[language].title;
        text += &format!("; {} in {title}", said(default));
    }
    text
}

fn said(spec: &Spec, option: &Choice) -> String {
    let titles = option.languages.iter().map(|it| spec.interface.naming[it].title.as_str());
    match titles.collect::<Vec<_>>().join(", ") {
        only if only.is_empty() => option.doc.clone(),
        only => format!("{} {only} only.", option.doc),
    }
}
