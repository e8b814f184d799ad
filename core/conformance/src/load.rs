//! Reads the case files, and says what is wrong with them before anything runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dqlite::ERRORS;
use serde::Deserialize;
use toml::Table;

use crate::step::{ExpectedError, Step, Verb, filled_in};
use crate::value::NoValue;

/// Where a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A node in this process, opened by the path of a new folder.
    Embedded,
    /// A client of a cluster of one node, a process of its own.
    Client,
    /// A client of three nodes, of which some may be killed.
    Cluster,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Client, Self::Cluster];

    /// Its name in the case files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Client => "client",
            Self::Cluster => "cluster",
        }
    }
}

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The name: the file's, a dot, and what it is about.
    pub name: String,
    /// Where it runs.
    #[serde(rename = "where", default = "usual_places")]
    pub places: Vec<Place>,
    /// Whether connection `a` is open when it begins.
    #[serde(default = "yes")]
    pub opens: bool,
    /// The options of its connections, unless a step says otherwise.
    #[serde(default)]
    pub options: Table,
    /// What is done.
    pub steps: Vec<Table>,
}

fn usual_places() -> Vec<Place> {
    vec![Place::Embedded, Place::Client]
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// The folder of the project's own case files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// The cases of a file, or of all files of a folder in the order of their names.
///
/// # Errors
/// A file cannot be read, or something in it is wrong; the error says where.
pub fn load(path: &Path) -> Result<Vec<Case>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        files = entries.into_iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
        files.sort();
    }
    let mut cases = Vec::new();
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let found: File = toml::from_str(&text).with_context(|| format!("{}", file.display()))?;
        let theme = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in found.case {
            check(&case, path.is_dir().then_some(&theme))
                .with_context(|| format!("{}: {}", file.display(), case.name))?;
            ensure!(names.insert(case.name.clone()), "two cases are called {}", case.name);
            cases.push(case);
        }
    }
    Ok(cases)
}

/// In a folder of many files each case is called after its file.
fn check(case: &Case, theme: Option<&String>) -> Result<()> {
    if let Some(theme) = theme {
        let about = case.name.strip_prefix(theme).and_then(|rest| rest.strip_prefix('.'));
        let is_well = about.is_some_and(|about| !about.is_empty());
        ensure!(is_well, "the name does not begin with {theme}.");
    }
    ensure!(!case.steps.is_empty(), "it has no steps");
    ensure!(!case.places.is_empty(), "it runs nowhere");
    check_steps(&case.steps)
}

fn check_steps(steps: &[Table]) -> Result<()> {
    // A variable may stand for a number.
    let variables = [("applied".to_owned(), "1".to_owned())].into();
    for (number, table) in (1..).zip(steps) {
        let step = Step::read(filled_in(table, &variables))
            .map_err(|reason| anyhow::anyhow!("step {number}: {reason}"))?;
        check_step(&step).with_context(|| format!("step {number}"))?;
        check_steps(&step.body).with_context(|| format!("in step {number}"))?;
        check_steps(&step.meanwhile).with_context(|| format!("meanwhile, in step {number}"))?;
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<()> {
    let needs = |name: &str, there: bool| -> Result<()> {
        ensure!(there, "{:?} needs {name}", step.verb);
        Ok(())
    };
    match step.verb {
        Verb::Execute | Verb::Query | Verb::ExecuteScript => needs("sql", step.sql.is_some())?,
        Verb::ExecuteMany => {
            needs("sql", step.sql.is_some())?;
            needs("sets or named_sets", step.sets.is_some() != step.named_sets.is_some())?;
        }
        Verb::SetAutocommit | Verb::SetArraySize => needs("to", step.to.is_some())?,
        Verb::Backup => needs("path", step.path.is_some())?,
        Verb::WaitFor => needs("of or index", step.of.is_some() != step.index.is_some())?,
        Verb::Control => needs("line", step.line.is_some())?,
        Verb::Repeat => {
            needs("times", step.times.is_some())?;
            needs("body", !step.body.is_empty())?;
        }
        Verb::Transaction => needs("body", !step.body.is_empty())?,
        _ => {}
    }
    ensure!(step.params.is_none() || step.named.is_none(), "params and named are given");
    check_values(step)?;
    step.error.as_ref().map_or(Ok(()), check_error)
}

fn check_values(step: &Step) -> Result<()> {
    let rows = step.rows.iter().flatten().chain(&step.row);
    let sets = step.sets.iter().flat_map(|sets| sets.counted(0)).map(|(_, set)| set).take(100);
    let values = rows.chain(sets).flatten();
    let named = step.named_sets.iter().flatten().chain(&step.named).flat_map(|set| set.values());
    let params = step.params.iter().flat_map(|list| list.counted(0)).map(|(_, value)| value);
    for value in values.chain(named).chain(params).chain(&step.last_row_id) {
        if let Err(NoValue::Wrong(reason)) = value.value(0) {
            bail!("{reason}");
        }
    }
    Ok(())
}

/// What is said of an error must be what the table of errors says.
fn check_error(expected: &ExpectedError) -> Result<()> {
    let Some(id) = &expected.id else { return Ok(()) };
    let entry = ERRORS.iter().find(|entry| entry.id == id);
    let entry = entry.with_context(|| format!("no error has the id {id:?}"))?;
    let agrees = |name: &str, expected: Option<&str>, actual: &str| -> Result<()> {
        let same = expected.is_none_or(|expected| expected == actual);
        ensure!(same, "{id} has the {name} {actual}, not {expected:?}");
        Ok(())
    };
    agrees("class", expected.class.as_deref(), entry.class.name())?;
    agrees("name", expected.name.as_deref(), entry.name)?;
    let code = expected.code.map(|code| code.to_string());
    agrees("code", code.as_deref(), &entry.code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_cases_are_well_formed() {
        let cases = load(&folder()).unwrap();
        let pairs: usize = cases.iter().map(|case| case.places.len()).sum();
        assert!(cases.len() >= 250 && pairs > cases.len(), "{} cases", cases.len());
    }

    fn checked(case: &str) -> Result<()> {
        check(&toml::from_str(case)?, Some(&"theme".to_owned()))
    }

    #[test]
    fn what_is_wrong_is_said() {
        let steps = |steps: &str| format!("name = 'theme.x'\nsteps = [{steps}]");
        assert!(checked(&steps("{ do = 'look' }")).is_ok());
        for (case, reason) in [
            ("name = 'other.x'\nsteps = [{ do = 'look' }]".to_owned(), "theme."),
            ("name = 'theme.x'\nsteps = []".to_owned(), "no steps"),
            (steps("{ do = 'query' }"), "needs sql"),
            (steps("{ do = 'look', cloned = true }"), "cloned"),
            (steps("{ do = 'execute_many', sql = '' }"), "needs sets"),
            (steps("{ do = 'look', error = { id = 'nothing' } }"), "no error has the id"),
            (steps("{ do = 'look', error = { id = 'busy', code = 6 } }"), "the code 5"),
            (steps("{ do = 'look', error = { id = 'busy', class = 'Error' } }"), "BusyError"),
            (steps("{ do = 'query', sql = '', rows = [[{ int = 'x' }]] }"), "no integer"),
            (steps("{ do = 'repeat', times = 1, body = [{ do = 'query' }] }"), "needs sql"),
        ] {
            let error = format!("{:#}", checked(&case).unwrap_err());
            assert!(error.contains(reason), "{case}: {error}");
        }
    }
}
