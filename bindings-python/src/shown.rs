//! What a cursor shows of its last statement, and the rows that have arrived and wait.
//!
//! Rows are reserved under the lock, which takes a walk over their lengths, and made into tuples
//! without it: making an object may run the garbage collector, and that may run anything.

use std::sync::Arc;

use bytes::Bytes;
use dqlite::{Column, RowBatch};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::errors::local;
use crate::values::{self, Conversion, Place, conversion, skip_row};

/// The state, behind its lock.
#[derive(Default)]
pub struct Shown {
    state: Mutex<State>,
}

struct State {
    /// The columns, if the last statement has a result.
    columns: Option<Arc<[Column]>>,
    /// By column; none unless they are asked for.
    conversions: Option<Arc<[Option<Conversion>]>>,
    row_count: i64,
    last_row_id: Option<i64>,
    rows: Rows,
    /// The core may have more rows.
    more: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            columns: None,
            conversions: None,
            row_count: -1,
            last_row_id: None,
            rows: Rows::default(),
            more: false,
        }
    }
}

/// Encoded rows that nobody has fetched.
#[derive(Clone, Default)]
struct Rows {
    bytes: Bytes,
    columns: usize,
    count: u32,
}

impl Rows {
    /// The rows of a batch; `None` if it is garbled.
    fn of(batch: RowBatch) -> Option<Self> {
        let mut bytes = batch.0;
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut place = Place::new(&bytes);
        let (count, columns) = (place.u32()?, place.u32()? as usize);
        let at = bytes.len() - place.remaining();
        Some(Self { bytes: bytes.split_off(at), columns, count })
    }

    /// Takes up to `count` rows off the front; `None` if the batch is garbled.
    fn reserve(&mut self, count: u32) -> Option<Self> {
        if count >= self.count {
            return Some(std::mem::take(self));
        }
        let mut place = Place::new(&self.bytes);
        for _ in 0..count {
            skip_row(&mut place, self.columns)?;
        }
        let at = self.bytes.len() - place.remaining();
        self.count -= count;
        Some(Self { bytes: self.bytes.split_to(at), columns: self.columns, count })
    }
}

/// What there is to fetch without asking the core.
pub enum Taken<T> {
    /// Something.
    Rows(T),
    /// Nothing, but the core may have more.
    Ask,
    /// Nothing more.
    End,
}

impl Shown {
    /// Forgets the last statement.
    pub fn clear(&self) {
        let _old = std::mem::take(&mut *self.state.lock());
    }

    /// Takes in what a statement left.
    pub fn set(&self, left: Left) -> Result<(), Garbled> {
        let rows = match left.first {
            Some(batch) => Some(Rows::of(batch).ok_or(Garbled)?),
            None => None,
        };
        let state = State {
            more: rows.is_some(),
            rows: rows.unwrap_or_default(),
            columns: left.columns,
            conversions: left.conversions,
            row_count: left.row_count,
            last_row_id: left.last_row_id,
        };
        let _old = std::mem::replace(&mut *self.state.lock(), state);
        Ok(())
    }

    /// Takes in the next batch, or the end.
    pub fn refill(&self, batch: Option<RowBatch>) -> Result<(), Garbled> {
        let rows = match batch {
            Some(batch) => Some(Rows::of(batch).ok_or(Garbled)?),
            None => None,
        };
        let mut state = self.state.lock();
        state.more = rows.is_some();
        state.rows = rows.unwrap_or_default();
        Ok(())
    }

    /// Whether rows have to be asked for before one can be fetched.
    pub fn wants(&self) -> bool {
        let state = self.state.lock();
        state.more && state.rows.count == 0
    }

    /// Whether the last statement has a result.
    pub fn has_result(&self) -> bool {
        self.state.lock().columns.is_some()
    }

    /// The columns of the result, if there is one.
    pub fn columns(&self) -> Option<Arc<[Column]>> {
        self.state.lock().columns.clone()
    }

    /// The number of rows changed; -1 if the statement changes none.
    pub fn row_count(&self) -> i64 {
        self.state.lock().row_count
    }

    /// The rowid of the row inserted last.
    pub fn last_row_id(&self) -> Option<i64> {
        self.state.lock().last_row_id
    }

    fn reserve(&self, py: Python<'_>, count: u32) -> PyResult<Taken<Reserved>> {
        let mut state = self.state.lock();
        if state.rows.count == 0 {
            return match (&state.columns, state.more) {
                (None, _) => {
                    drop(state);
                    Err(local(py, "cursor.no_result", "there are no rows to fetch"))
                }
                (_, true) => Ok(Taken::Ask),
                (_, false) => Ok(Taken::End),
            };
        }
        let conversions = state.conversions.clone();
        let Some(rows) = state.rows.reserve(count) else {
            drop(state);
            return Err(local(py, "internal", "a batch of rows is not whole"));
        };
        Ok(Taken::Rows(Reserved { rows, conversions }))
    }

    /// The next row.
    ///
    /// # Errors
    /// There is no result, or a value cannot be shown.
    pub fn row<'py>(&self, py: Python<'py>) -> PyResult<Taken<Bound<'py, PyTuple>>> {
        let reserved = match self.reserve(py, 1)? {
            Taken::Rows(reserved) => reserved,
            Taken::Ask => return Ok(Taken::Ask),
            Taken::End => return Ok(Taken::End),
        };
        let mut row = None;
        reserved.decode(py, |tuple| {
            row = Some(tuple);
            Ok(())
        })?;
        Ok(row.map_or(Taken::End, Taken::Rows))
    }

    /// Appends up to `count` of the rows at hand to a list, each as `factory` makes it.
    ///
    /// # Errors
    /// There is no result, a value cannot be shown, or the factory raises.
    pub fn rows<'py>(
        &self,
        py: Python<'py>,
        count: u32,
        list: &Bound<'py, PyList>,
        factory: Option<&dyn Fn(Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>>>,
    ) -> PyResult<Taken<u32>> {
        let reserved = match self.reserve(py, count)? {
            Taken::Rows(reserved) => reserved,
            Taken::Ask => return Ok(Taken::Ask),
            Taken::End => return Ok(Taken::End),
        };
        match factory {
            None => reserved.decode(py, |row| list.append(row))?,
            Some(factory) => reserved.decode(py, |row| list.append(factory(row)?))?,
        }
        Ok(Taken::Rows(reserved.rows.count))
    }
}

struct Reserved {
    rows: Rows,
    conversions: Option<Arc<[Option<Conversion>]>>,
}

impl Reserved {
    fn decode<'py>(
        &self,
        py: Python<'py>,
        each: impl FnMut(Bound<'py, PyTuple>) -> PyResult<()>,
    ) -> PyResult<()> {
        let Rows { bytes, columns, count } = &self.rows;
        let conversions = self.conversions.as_deref().unwrap_or_default();
        values::rows(py, bytes, *count, *columns, conversions, each)
    }
}

/// A batch from the core that is none.
#[derive(Debug)]
pub struct Garbled;

/// What a statement leaves for its cursor to show.
pub struct Left {
    columns: Option<Arc<[Column]>>,
    conversions: Option<Arc<[Option<Conversion>]>>,
    row_count: i64,
    last_row_id: Option<i64>,
    first: Option<RowBatch>,
}

impl Left {
    /// Collects it.
    pub fn new(
        columns: Option<Arc<[Column]>>,
        convert: bool,
        row_count: i64,
        last_row_id: Option<i64>,
        first: Option<RowBatch>,
    ) -> Self {
        let conversions = columns
            .as_ref()
            .filter(|_| convert)
            .map(|columns| columns.iter().map(conversion).collect());
        Self { columns, conversions, row_count, last_row_id, first }
    }
}
