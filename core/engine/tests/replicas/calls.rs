//! Calls as tests make them, and their rows as text.

use dqlite_engine::{
    BatchSink, Call, CallKind, CallParameters, Consistency, Error, Ran, Session, ValueRef,
};
use dqlite_env::Blocking;

use super::Replica;

/// A set of whole numbers for a statement's places.
#[derive(Clone, Debug)]
pub enum Set {
    Positional(Vec<i64>),
    Named(Vec<(&'static str, i64)>),
}

#[derive(Clone, Debug, Default)]
pub struct Sets(pub Vec<Set>);

impl CallParameters for Sets {
    fn set_count(&self) -> usize {
        self.0.len()
    }

    fn is_named(&self, set: usize) -> bool {
        matches!(self.0[set], Set::Named(_))
    }

    fn value_count(&self, set: usize) -> usize {
        match &self.0[set] {
            Set::Positional(values) => values.len(),
            Set::Named(values) => values.len(),
        }
    }

    fn value(&self, set: usize, index: usize) -> ValueRef<'_> {
        ValueRef::Integer(match &self.0[set] {
            Set::Positional(values) => values[index],
            Set::Named(values) => values[index].1,
        })
    }

    fn name(&self, set: usize, index: usize) -> &str {
        match &self.0[set] {
            Set::Positional(_) => panic!("a positional value has no name"),
            Set::Named(values) => values[index].0,
        }
    }
}

/// Collects rows as text, up to a number of them.
#[derive(Clone, Debug)]
pub struct Cells {
    pub rows: Vec<String>,
    columns: usize,
    row: Vec<String>,
    rows_max: usize,
}

impl Cells {
    pub fn up_to(rows_max: usize) -> Self {
        Self { rows: Vec::new(), columns: 0, row: Vec::new(), rows_max }
    }
}

impl BatchSink for Cells {
    fn begin(&mut self, columns: usize) {
        assert!(self.row.is_empty() && columns > 0);
        self.columns = columns;
    }

    fn push(&mut self, value: ValueRef<'_>) {
        self.row.push(match value {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(blob) => format!("{} bytes", blob.len()),
        });
    }

    fn end_row(&mut self) -> bool {
        assert_eq!(self.row.len(), self.columns);
        self.rows.push(std::mem::take(&mut self.row).join("|"));
        self.rows.len() >= self.rows_max
    }
}

/// A call of one statement in autocommit.
pub fn one(sql: &str) -> Call<String, Sets> {
    Call {
        sql: sql.to_owned(),
        kind: CallKind::One,
        parameters: Sets::default(),
        begin: false,
        mark: 0,
        consistency: Consistency::Linearizable,
        at_least: 0,
    }
}

/// The same with a transaction opened if it writes.
pub fn begin(sql: &str) -> Call<String, Sets> {
    Call { begin: true, ..one(sql) }
}

pub fn many(sql: &str, sets: &[&[i64]]) -> Call<String, Sets> {
    let sets = sets.iter().map(|set| Set::Positional(set.to_vec())).collect();
    Call { kind: CallKind::Many, parameters: Sets(sets), ..one(sql) }
}

pub fn script(sql: &str) -> Call<String, Sets> {
    Call { kind: CallKind::Script, ..one(sql) }
}

pub fn with(sql: &str, set: Set) -> Call<String, Sets> {
    Call { parameters: Sets(vec![set]), ..one(sql) }
}

/// Makes a call, and waits as long as it takes.
pub async fn call(
    session: &mut Session,
    call: Call<String, Sets>,
    rows_max: usize,
) -> Result<Ran<Cells>, Error> {
    let operation = session.begin_operation(None);
    let ran = session.call(&operation, call, Cells::up_to(rows_max), Blocking::Pool).await?;
    operation.finish();
    Ok(ran)
}

/// Gives the next rows of a result, and whether there may be more.
pub async fn fetch(
    session: &mut Session,
    cursor: u32,
    rows_max: usize,
) -> Result<(Vec<String>, bool), Error> {
    let operation = session.begin_operation(None);
    let cells = Cells::up_to(rows_max);
    let fetched = session.fetch_rows(&operation, cursor, cells, Blocking::Pool).await?;
    operation.finish();
    Ok((fetched.sink.rows, fetched.more))
}

impl Replica {
    /// Makes a call and applies what it proposes while it waits. All rows come at once.
    pub async fn call(
        &mut self,
        session: &mut Session,
        asked: Call<String, Sets>,
    ) -> Result<Ran<Cells>, Error> {
        self.drive(call(session, asked, usize::MAX)).await
    }

    /// The same, for the rows only.
    pub async fn rows(&mut self, session: &mut Session, sql: &str) -> Vec<String> {
        self.call(session, one(sql)).await.unwrap().sink.rows
    }
}
