//! One step of a case: a call, and what it must give.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use crate::value::Tagged;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Opens a connection.
    Connect,
    /// Makes a cursor.
    Cursor,
    /// Runs a statement.
    Execute,
    /// Runs a statement and reads all its rows.
    Query,
    /// Runs a statement with many sets of parameters.
    ExecuteMany,
    /// Runs a script.
    ExecuteScript,
    /// The next row.
    FetchOne,
    /// Some rows.
    FetchMany,
    /// The rows that are left.
    FetchAll,
    /// Reads the rows that are left and keeps none: counts them and adds up their first column.
    Stream,
    /// Sets how many rows `fetch_many` gives.
    SetArraySize,
    /// Closes a cursor.
    CloseCursor,
    /// Begins a transaction.
    Begin,
    /// Commits.
    Commit,
    /// Rolls back.
    Rollback,
    /// Sets autocommit.
    SetAutocommit,
    /// Runs steps in a transaction.
    Transaction,
    /// Interrupts what runs on the connection.
    Interrupt,
    /// Copies the database to a file.
    Backup,
    /// Waits for an index.
    WaitFor,
    /// Finds out the outcome of the last error.
    Resolve,
    /// Closes a connection.
    Close,
    /// Asks the control program.
    Control,
    /// Runs steps several times.
    Repeat,
    /// Fails, in the body of a transaction.
    Fail,
    /// Does nothing, and looks at what is there.
    Look,
}

/// A list as it stands, or the same item several times with another count each time.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum List<T> {
    /// The items.
    Items(Vec<T>),
    /// `count` items, where `{ n = … }` counts from 0.
    Counted(Counted<T>),
}

/// An item, several times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted<T> {
    /// How often.
    pub count: i64,
    /// The item.
    pub each: T,
}

impl<T> List<T> {
    /// Each item with the count that goes with it; `n` where it has none of its own.
    pub fn counted(&self, n: i64) -> Box<dyn Iterator<Item = (i64, &T)> + '_> {
        match self {
            Self::Items(items) => Box::new(items.iter().map(move |item| (n, item))),
            Self::Counted(it) => Box::new((0..it.count).map(|count| (count, &it.each))),
        }
    }
}

/// What an error must be, as far as it is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// The class.
    pub class: Option<String>,
    /// The id.
    pub id: Option<String>,
    /// The code.
    pub code: Option<i64>,
    /// The code's name.
    pub name: Option<String>,
    /// Whether to try again.
    pub retryable: Option<String>,
    /// What is known of the effect.
    pub outcome: Option<String>,
    /// What stands in the message.
    #[serde(default)]
    pub says: Vec<String>,
}

/// A step: FORMAT.md says what each key is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Step {
    #[serde(rename = "do")]
    pub verb: Verb,
    #[serde(default = "first")]
    pub on: String,
    pub cursor: Option<String>,
    // What is done.
    pub target: Option<String>,
    pub options: Option<Table>,
    pub sql: Option<String>,
    pub params: Option<List<Tagged>>,
    pub named: Option<BTreeMap<String, Tagged>>,
    pub sets: Option<List<Vec<Tagged>>>,
    pub named_sets: Option<Vec<BTreeMap<String, Tagged>>>,
    pub size: Option<usize>,
    pub to: Option<Value>,
    pub mode: Option<String>,
    pub path: Option<String>,
    #[serde(default)]
    pub stop: bool,
    pub of: Option<String>,
    pub index: Option<String>,
    pub line: Option<String>,
    pub save: Option<String>,
    pub times: Option<i64>,
    #[serde(default)]
    pub body: Vec<Table>,
    // When, and what happens at the same time.
    #[serde(default)]
    pub once: bool,
    pub after_ms: Option<u64>,
    pub every_ms: Option<u64>,
    pub cancel_ms: Option<u64>,
    #[serde(default)]
    pub meanwhile: Vec<Table>,
    // What it must give.
    pub error: Option<ExpectedError>,
    pub rows: Option<Vec<Vec<Tagged>>>,
    pub row: Option<Vec<Tagged>>,
    pub count: Option<u64>,
    pub sum: Option<String>,
    pub memory_mib: Option<u64>,
    pub remaining: Option<u64>,
    pub reply: Option<String>,
    pub value: Option<bool>,
    pub runs: Option<u64>,
    pub failed: Option<bool>,
    pub columns: Option<Vec<Vec<String>>>,
    pub row_count: Option<i64>,
    pub last_row_id: Option<Tagged>,
    pub array_size: Option<usize>,
    pub in_transaction: Option<bool>,
    pub autocommit: Option<bool>,
    pub total_changes: Option<u64>,
    pub closed: Option<bool>,
}

/// The connection that is meant where none is named.
fn first() -> String {
    "a".to_owned()
}

impl Step {
    /// Reads a step.
    ///
    /// # Errors
    /// A key is unknown, missing, or of the wrong type.
    pub fn read(table: Table) -> Result<Self, String> {
        table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// The name of the cursor that is meant.
    pub fn cursor_name(&self) -> &str {
        self.cursor.as_deref().unwrap_or(&self.on)
    }

    /// The text of the statement.
    pub fn sql(&self) -> &str {
        self.sql.as_deref().unwrap_or_default()
    }
}

/// The step with `{name}` replaced by its value in every text, but for the steps inside it, which
/// have their own time for that.
pub fn filled_in(step: &Table, values: &BTreeMap<String, String>) -> Table {
    let inside = |key: &str| key == "body" || key == "meanwhile";
    let filled = step.iter().map(|(key, value)| {
        let value = if inside(key) { value.clone() } else { fill(value, values) };
        (key.clone(), value)
    });
    filled.collect()
}

fn fill(value: &Value, values: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) if text.contains('{') => {
            let fill_one = |text: String, (name, value): (&String, &String)| {
                text.replace(&format!("{{{name}}}"), value)
            };
            Value::String(values.iter().fold(text.clone(), fill_one))
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, values)).collect()),
        Value::Table(table) => Value::Table(
            table.iter().map(|(key, value)| (key.clone(), fill(value, values))).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_filled_in_but_not_what_is_inside() {
        let text = "do = 'repeat'\nline = '{a}-{b}{c}'\nbody = [{ do = 'look', on = '{a}' }]";
        let values = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".into(), "2".into())]);
        let filled = filled_in(&text.parse().unwrap(), &values);
        assert_eq!(filled["line"].as_str(), Some("1-2{c}"));
        assert_eq!(filled["body"][0]["on"].as_str(), Some("{a}"));
    }

    #[test]
    fn unknown_keys_and_verbs_are_refused() {
        let read = |text: &str| Step::read(text.parse().unwrap());
        assert!(read("do = 'query'\nsql = 'SELECT 1'\nrows = []").is_ok());
        assert!(read("do = 'query'\nsqll = 'SELECT 1'").is_err());
        assert!(read("do = 'ask'").is_err());
        assert!(read("sql = 'SELECT 1'").is_err());
    }
}
