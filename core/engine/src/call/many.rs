//! One statement with many sets of parameters: all or nothing.

use super::cache::{Compiled, compile, put_back};
use super::parameters::CallParameters;
use super::work::{bind, connection, run_to_the_end};
use crate::cell::Inner;
use crate::error::Error;

/// Runs the statement once for each set, and gives how many rows were changed. Where it writes, an
/// error leaves no trace of any of them.
pub(super) fn run<P: CallParameters>(
    inner: &mut Inner,
    compiled: &mut Compiled,
    parameters: &P,
    writes: bool,
) -> Result<u64, Error> {
    if !writes || parameters.set_count() == 0 {
        return run_sets(inner, compiled, parameters);
    }
    let (begin, end, undo): (_, _, &[&str]) = if !compiled.belongs_into_a_transaction {
        return run_sets(inner, compiled, parameters);
    } else if connection(inner)?.is_autocommit() {
        ("BEGIN IMMEDIATE", "COMMIT", &["ROLLBACK"])
    } else {
        const UNDO: [&str; 2] = ["ROLLBACK TO \"dqlite many\"", "RELEASE \"dqlite many\""];
        ("SAVEPOINT \"dqlite many\"", "RELEASE \"dqlite many\"", &UNDO)
    };
    control(inner, begin)?;
    let ran = run_sets(inner, compiled, parameters).and_then(|changes| {
        control(inner, end)?;
        Ok(changes)
    });
    if ran.is_err() {
        for sql in undo {
            // Some errors have taken the whole transaction along already.
            if !connection(inner)?.is_autocommit() {
                control(inner, sql)?;
            }
        }
    }
    ran
}

fn run_sets<P: CallParameters>(
    inner: &mut Inner,
    compiled: &mut Compiled,
    parameters: &P,
) -> Result<u64, Error> {
    let mut changes = 0;
    for set in 0..parameters.set_count() {
        bind(inner, compiled, parameters, set)?;
        run_to_the_end(inner, compiled)?;
        if compiled.changes_rows {
            changes += connection(inner)?.changes();
        }
    }
    Ok(changes)
}

/// Runs a statement about transactions.
pub(super) fn control(inner: &mut Inner, sql: &str) -> Result<(), Error> {
    let compiled = compile(inner, sql)?;
    let ran = run_to_the_end(inner, &compiled);
    put_back(inner, compiled);
    ran
}
