//! Compares two logs of the same steps, and tells the first difference.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// How much of a line a report shows, in characters.
const SHOWN_MAX: usize = 400;

/// What two logs have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// All of it: so many lines.
    Same(usize),
    /// Not all: the number of the first line that differs, and how.
    Differs(usize, String),
}

/// Compares the logs at two paths.
///
/// # Errors
/// One cannot be read, or a line is not JSON.
pub fn compare(one: &Path, other: &Path) -> Result<Comparison> {
    let (mut ones, mut others) = (lines(one)?, lines(other)?);
    for number in 1.. {
        let pair = (next(&mut ones, one)?, next(&mut others, other)?);
        match pair {
            (None, None) => return Ok(Comparison::Same(number - 1)),
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => {
                return Ok(Comparison::Differs(number, difference(&one, &other)));
            }
            (one, other) => {
                let longer = if one.is_some() { "first" } else { "second" };
                let rest = one.or(other).unwrap_or_default();
                let reason = format!("only the {longer} log has {}", shown(&rest));
                return Ok(Comparison::Differs(number, reason));
            }
        }
    }
    unreachable!("a log ends")
}

fn lines(path: &Path) -> Result<Lines<BufReader<File>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file).lines())
}

fn next(lines: &mut Lines<BufReader<File>>, path: &Path) -> Result<Option<Value>> {
    let Some(line) = lines.next() else { return Ok(None) };
    let line = line.with_context(|| path.display().to_string())?;
    serde_json::from_str(&line).with_context(|| format!("{}: {line}", path.display()))
}

/// The keys in which two lines differ, and their values.
fn difference(one: &Value, other: &Value) -> String {
    let empty = serde_json::Map::new();
    let (ones, others) = (one.as_object().unwrap_or(&empty), other.as_object().unwrap_or(&empty));
    let keys: std::collections::BTreeSet<_> = ones.keys().chain(others.keys()).collect();
    let about = format!("case {} step {}", one["case"], one["step"]);
    let different = keys.into_iter().filter(|key| ones.get(*key) != others.get(*key));
    let shown = |line: &serde_json::Map<String, Value>, key: &String| {
        line.get(key).map_or_else(|| "nothing".to_owned(), shown)
    };
    let told = different.map(|key| format!("{key}: {} | {}", shown(ones, key), shown(others, key)));
    format!("{about}: {}", told.collect::<Vec<_>>().join("; "))
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(one: &str, other: &str) -> Comparison {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("one"), folder.path().join("other")];
        std::fs::write(&paths[0], one).unwrap();
        std::fs::write(&paths[1], other).unwrap();
        compare(&paths[0], &paths[1]).unwrap()
    }

    #[test]
    fn spelling_does_not_matter_and_content_does() {
        let one = "{\"case\":\"a\",\"step\":1,\"rows\":[[{\"text\":\"\\u00e9\"}]]}\n";
        let other = "{ \"step\": 1, \"rows\": [[{\"text\": \"é\"}]], \"case\": \"a\" }\n";
        assert_eq!(compared(one, other), Comparison::Same(1));
        let other = other.replace('é', "e");
        let Comparison::Differs(1, reason) = compared(one, &other) else { panic!() };
        assert!(reason.contains("rows") && !reason.contains("case:"), "{reason}");
    }

    #[test]
    fn a_log_that_ends_early_differs() {
        let line = "{\"case\":\"a\",\"step\":1}\n";
        assert!(matches!(compared(line, &line.repeat(2)), Comparison::Differs(2, _)));
        assert_eq!(compared("", ""), Comparison::Same(0));
    }
}
