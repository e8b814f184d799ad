//! `errors.toml`: errors and their classes.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    #[serde(rename = "class")]
    pub classes: Vec<Class>,
    #[serde(rename = "error")]
    pub entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub name: String,
    /// None for the roots of the tree.
    pub parent: Option<String>,
    pub doc: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub code: i64,
    pub name: String,
    pub class: String,
    #[serde(default = "no")]
    pub retryable: String,
    #[serde(default = "not_applied")]
    pub outcome: String,
    pub doc: String,
}

fn no() -> String {
    "no".to_owned()
}

fn not_applied() -> String {
    "not_applied".to_owned()
}

impl Errors {
    /// The entries in the order of their ids.
    pub fn sorted(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    }

    /// The classes directly under `parent`.
    pub fn children(&self, parent: Option<&str>) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(move |class| class.parent.as_deref() == parent)
    }
}
