//! Functions and types.

use super::super::spec::{Default, Function, Parameter, Spec, Type};
use super::{code, table};

pub fn opening(spec: &Spec, out: &mut String) {
    *out += "\n## Opening\n\n";
    for function in &spec.interface.functions {
        let call = signature(function);
        *out += &format!("### {}\n\n`{call}`\n\n{}\n", function.name, function.doc);
        details(function, out);
        *out += "\n";
    }
    out.pop();
}

/// What a call's table row has no room for.
fn details(function: &Function, out: &mut String) {
    for parameter in &function.parameters {
        if let Some(doc) = &parameter.doc {
            *out += &format!("\n- `{}`: {doc}", parameter.name);
        }
    }
    if let Some(scope) = &function.options {
        *out += &format!("\n- options: [those of `{scope}`](#options)");
    }
    if !function.errors.is_empty() {
        *out += &format!("\n- errors: {}", errors(function));
    }
    *out += "\n";
}

pub fn types(spec: &Spec, out: &mut String) {
    *out += "\n## Types\n\nWhat takes time is marked ◷: it is asynchronous where a language has \
             that.\n";
    for found in &spec.interface.types {
        *out += &format!("\n### {}\n\n{}", found.name, found.doc);
        if let Some(made_by) = &found.made_by {
            *out += &format!(" Made by {made_by}.");
        }
        *out += "\n";
        constructor(found, out);
        methods(found, out);
        properties(found, out);
    }
}

fn constructor(found: &Type, out: &mut String) {
    let Some(constructor) = &found.constructor else { return };
    let mut parts: Vec<String> = constructor.parameters.iter().map(parameter).collect();
    parts.extend(constructor.options.as_ref().map(|_| "options…".to_owned()));
    *out += &format!("\n`{}({})`: {}\n", found.name, parts.join(", "), constructor.doc);
    for parameter in &constructor.parameters {
        if let Some(doc) = &parameter.doc {
            *out += &format!("\n- `{}`: {doc}", parameter.name);
        }
    }
    if let Some(scope) = &constructor.options {
        *out += &format!("\n- options: [those of `{scope}`](#options)");
    }
    *out += "\n";
}

fn methods(found: &Type, out: &mut String) {
    if found.methods.is_empty() {
        return;
    }
    *out += "\n";
    let rows = found.methods.iter().map(|method| {
        let mark = if method.waits { " ◷" } else { "" };
        let call = code(&signature(method));
        [call + mark, said(method), errors(method)]
    });
    table(out, ["call", "does", "errors"], rows);
}

/// The doc line, with those of the parameters.
fn said(method: &Function) -> String {
    let mut text = method.doc.clone();
    for parameter in &method.parameters {
        if let Some(doc) = &parameter.doc {
            text += &format!(" `{}`: {doc}", parameter.name);
        }
    }
    if let Some(scope) = &method.options {
        text += &format!(" Takes the [options of `{scope}`](#options)");
        if !method.options_but.is_empty() {
            let but: Vec<String> = method.options_but.iter().map(|it| code(it)).collect();
            text += &format!(" but {}", but.join(", "));
        }
        text += ".";
    }
    text
}

fn properties(found: &Type, out: &mut String) {
    if found.properties.is_empty() {
        return;
    }
    *out += "\n";
    let rows = found.properties.iter().map(|property| {
        let settable = if property.writable { ", can be set" } else { "" };
        let kind = format!("{}{settable}", code(&property.kind));
        [code(&property.name), kind, property.doc.clone()]
    });
    table(out, ["property", "type", "meaning"], rows);
}

fn signature(function: &Function) -> String {
    let mut parts: Vec<String> = function.parameters.iter().map(parameter).collect();
    parts.extend(function.options.as_ref().map(|_| "options…".to_owned()));
    let result = match function.result.as_str() {
        "nothing" => String::new(),
        result => format!(" → {result}"),
    };
    format!("{}({}){result}", function.name, parts.join(", "))
}

fn parameter(parameter: &Parameter) -> String {
    let default = match &parameter.default {
        Some(Default::Bool(value)) => format!(" = {value}"),
        Some(Default::Integer(value)) => format!(" = {value}"),
        Some(Default::Text(value)) => format!(" = \"{value}\""),
        None if parameter.kind == "parameters" => " = none".to_owned(),
        None => String::new(),
    };
    format!("{}: {}{default}", parameter.name, parameter.kind)
}

fn errors(function: &Function) -> String {
    function.errors.iter().map(|error| code(error)).collect::<Vec<_>>().join(", ")
}
