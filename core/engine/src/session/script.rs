//! Several statements in one text.

use super::run::{Attempt, Surplus, bind, connection, put_away, run_without_rows};
use super::{Executed, Parameters, Session};
use crate::cell::Inner;
use crate::error::Error;
use crate::words;

/// How far a script has come.
struct Progress<P> {
    sql: String,
    parameters: P,
    offset_bytes: usize,
    parameters_taken: usize,
    executed: Executed,
}

impl Session {
    /// Runs all statements of `sql` in order and stops at the first error. They share the
    /// parameters: each takes as many as it has places. Gives what the last one did.
    pub async fn execute_script<P: Parameters>(
        &mut self,
        sql: String,
        parameters: P,
    ) -> Result<Executed, Error> {
        let mut in_lane = words::writes(&sql);
        self.only_begins = words::only_begins(&sql);
        let executed = Executed::default();
        let mut progress =
            Progress { sql, parameters, offset_bytes: 0, parameters_taken: 0, executed };
        loop {
            match self.on_connection(in_lane, move |inner| advance(inner, progress)).await? {
                Attempt::Done(executed) => return Ok(executed),
                Attempt::NeedsLane(rest) => {
                    progress = rest;
                    in_lane = true;
                }
            }
        }
    }
}

/// Runs statements until the end, or until one needs the lane, which then stays with the script:
/// its transactions follow each other without waiting for the log in between.
fn advance<P: Parameters>(
    inner: &mut Inner,
    mut progress: Progress<P>,
) -> Result<Attempt<Executed, Progress<P>>, Error> {
    loop {
        let holds_lane = inner.lane.is_some();
        let connection = connection(inner)?;
        let Some(prepared) = connection.prepare(&progress.sql[progress.offset_bytes..])? else {
            progress.executed.last_insert_rowid = connection.last_insert_rowid();
            return Ok(Attempt::Done(progress.executed));
        };
        if !prepared.readonly && !holds_lane {
            connection.finalize(prepared.id);
            return Ok(Attempt::NeedsLane(progress));
        }
        let run = bind(
            connection,
            prepared.id,
            &progress.parameters,
            progress.parameters_taken,
            Surplus::Ignore,
        )
        .and_then(|taken| {
            progress.parameters_taken += taken;
            run_without_rows(connection, prepared.id)
        });
        put_away(connection, prepared.id, true);
        progress.executed = run?;
        progress.offset_bytes += prepared.tail_offset;
    }
}
