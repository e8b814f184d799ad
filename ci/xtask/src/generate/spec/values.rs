//! `values.toml`: how SQLite's values look in each language.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// In the order in which tables show them.
    pub languages: Vec<String>,
    #[serde(rename = "value")]
    pub all: Vec<Value>,
    #[serde(rename = "conversion")]
    pub conversions: Vec<Conversion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    pub sqlite: String,
    pub limits: String,
    pub reads: BTreeMap<String, String>,
    pub binds: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    pub declared: String,
    pub stored: String,
    pub reads: BTreeMap<String, String>,
}
