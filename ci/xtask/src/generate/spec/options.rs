//! `options.toml`: options and their defaults.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    #[serde(rename = "option")]
    pub all: Vec<Choice>,
}

/// What can be chosen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub name: String,
    pub kind: Kind,
    pub unit: Option<String>,
    /// The enumeration whose words can be chosen.
    pub choices: Option<String>,
    pub default: Option<Default>,
    /// Languages with a default of their own.
    #[serde(default)]
    pub default_in: BTreeMap<String, Default>,
    /// What happens without it, where there is no default.
    pub without: Option<String>,
    #[serde(default)]
    pub required: bool,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub scopes: Vec<String>,
    pub url: bool,
    /// The only languages that have it; none for all.
    #[serde(default)]
    pub languages: Vec<String>,
    pub doc: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Bool,
    Integer,
    Duration,
    Text,
    Choice,
    Path,
    Addresses,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Default {
    Bool(bool),
    Integer(u64),
    Text(String),
}

impl Choice {
    /// Whether a language has the option.
    pub fn is_in(&self, language: &str) -> bool {
        self.languages.is_empty() || self.languages.iter().any(|found| found == language)
    }

    /// The default as a number, where it is one.
    pub fn default_number(&self) -> Option<u64> {
        match self.default {
            Some(Default::Integer(number)) => Some(number),
            _ => None,
        }
    }
}
