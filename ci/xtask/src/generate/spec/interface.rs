//! `interface.toml`: types, what they can do, and how each language spells it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::options::Default;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    pub naming: BTreeMap<String, Naming>,
    #[serde(rename = "enumeration")]
    pub enumerations: Vec<Enumeration>,
    #[serde(rename = "function")]
    pub functions: Vec<Function>,
    #[serde(rename = "type")]
    pub types: Vec<Type>,
    #[serde(rename = "addition")]
    pub additions: Vec<Addition>,
}

/// How a language spells names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    pub title: String,
    pub methods: Case,
    /// Names with a spelling of their own.
    pub words: BTreeMap<String, String>,
    /// Types with a name of their own.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    pub note: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub enum Case {
    #[serde(rename = "snake_case")]
    Snake,
    #[serde(rename = "camelCase")]
    Camel,
    #[serde(rename = "PascalCase")]
    Pascal,
    /// Of C: with the library and the type before it.
    #[serde(rename = "prefixed")]
    Prefixed,
}

/// A set of words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enumeration {
    pub name: String,
    pub doc: String,
    #[serde(default)]
    pub absent_in: Vec<String>,
    pub values: Vec<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    pub name: String,
    pub doc: String,
}

/// A function of the module, or a method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub name: String,
    pub doc: String,
    /// It takes time: asynchronous where a language has that.
    #[serde(default)]
    pub waits: bool,
    /// Languages where it only makes something that waits later.
    #[serde(default)]
    pub waits_not_in: Vec<String>,
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The scope whose options follow by name.
    pub options: Option<String>,
    /// Options of the scope that it does not take.
    #[serde(default)]
    pub options_but: Vec<String>,
    pub result: String,
    /// Classes and ids.
    #[serde(default)]
    pub errors: Vec<String>,
    #[serde(default)]
    pub absent_in: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub default: Option<Default>,
    pub doc: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    pub name: String,
    pub doc: String,
    /// It only has properties.
    #[serde(default)]
    pub record: bool,
    /// It is one of the error classes.
    #[serde(default)]
    pub error: bool,
    /// context, iterator, sequence: what a language does with such things.
    #[serde(default)]
    pub protocols: Vec<String>,
    pub made_by: Option<String>,
    pub constructor: Option<Constructor>,
    #[serde(rename = "method", default)]
    pub methods: Vec<Function>,
    #[serde(rename = "property", default)]
    pub properties: Vec<Property>,
    #[serde(default)]
    pub absent_in: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constructor {
    pub doc: String,
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    pub options: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub writable: bool,
    pub doc: String,
}

/// Names that a language has on top.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addition {
    pub language: String,
    /// A type, or `module`.
    pub of: String,
    /// Modules of the language that have it; none for all.
    #[serde(default)]
    pub modules: Vec<String>,
    pub names: Vec<String>,
    pub doc: String,
}

impl Parameter {
    /// Whether a call may leave it out.
    pub fn is_optional(&self) -> bool {
        self.default.is_some() || self.kind == "parameters" || self.kind.starts_with("optional<")
    }
}
