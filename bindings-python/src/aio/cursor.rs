//! What `dqlite.aio.Cursor` is made of: batches come by operations, rows without.

use std::sync::Arc;

use dqlite::ParameterSet;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use tokio::sync::Mutex;

use super::connection::AsyncConnection;
use super::operation::Operation;
use crate::columns;
use crate::cursor::{text, utf8};
use crate::errors::local;
use crate::fork::Owned;
use crate::shown::{Garbled, Left, Shown, Taken};
use crate::values;

/// A cursor for one event loop.
#[pyclass(module = "dqlite._native", frozen)]
pub struct AsyncCursor {
    connection: Py<AsyncConnection>,
    core: Owned<Arc<Mutex<dqlite::Cursor>>>,
    shown: Arc<Shown>,
}

/// What a cursor runs.
enum Work {
    One(String, ParameterSet),
    Many(String, Vec<ParameterSet>),
    Script(String),
}

impl Work {
    async fn run(self, cursor: &mut dqlite::Cursor) -> Result<(), dqlite::Error> {
        match self {
            Self::One(sql, set) => cursor.execute(&sql, set).await,
            Self::Many(sql, sets) => cursor.execute_many(&sql, sets).await,
            Self::Script(sql) => cursor.execute_script(&sql).await,
        }
    }
}

impl AsyncCursor {
    /// A new cursor.
    ///
    /// # Errors
    /// The process has forked since the connection was opened.
    pub fn of(connection: &Bound<'_, AsyncConnection>) -> PyResult<Self> {
        let core = connection.get().core(connection.py())?.cursor();
        Ok(Self {
            connection: connection.clone().unbind(),
            core: Owned::new(Arc::new(Mutex::new(core))),
            shown: Arc::default(),
        })
    }

    /// Runs it and shows what it left.
    fn start(&self, py: Python<'_>, work: Work) -> PyResult<Operation> {
        let core = self.core.get(py)?.clone();
        let shown = self.shown.clone();
        let connection = self.connection.get();
        let convert = connection.convert();
        let run = |operation| async move {
            let mut cursor = core.lock().await;
            cursor.set_operation(operation);
            shown.clear();
            work.run(&mut cursor).await?;
            let first = match cursor.columns() {
                Some(_) => cursor.next_batch().await?,
                None => None,
            };
            let (count, id) = (cursor.row_count(), cursor.last_row_id());
            Ok(shown.set(Left::new(cursor.columns().cloned(), convert, count, id, first)))
        };
        connection.operation(py, run, whole)
    }
}

fn whole(py: Python<'_>, shown: Result<(), Garbled>) -> PyResult<Py<PyAny>> {
    match shown {
        Ok(()) => Ok(py.None()),
        Err(Garbled) => Err(local(py, "internal", "a batch of rows is not whole")),
    }
}

#[pymethods]
impl AsyncCursor {
    fn execute(
        &self,
        sql: &Bound<'_, PyAny>,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Operation> {
        let work = Work::One(utf8(text(sql)?)?.to_owned(), values::one(parameters)?);
        self.start(sql.py(), work)
    }

    fn executemany(&self, sql: &Bound<'_, PyAny>, sets: &Bound<'_, PyAny>) -> PyResult<Operation> {
        let work = Work::Many(utf8(text(sql)?)?.to_owned(), values::many(sets)?);
        self.start(sql.py(), work)
    }

    fn executescript(&self, sql: &Bound<'_, PyAny>) -> PyResult<Operation> {
        self.start(sql.py(), Work::Script(utf8(text(sql)?)?.to_owned()))
    }

    /// Starts to get more rows.
    fn more(&self, py: Python<'_>) -> PyResult<Operation> {
        let core = self.core.get(py)?.clone();
        let shown = self.shown.clone();
        let run = |operation| async move {
            let mut cursor = core.lock().await;
            if !shown.wants() {
                return Ok(Ok(()));
            }
            cursor.set_operation(operation);
            let batch = cursor.next_batch().await?;
            Ok(shown.refill(batch))
        };
        self.connection.get().operation(py, run, whole)
    }

    fn close(&self, py: Python<'_>) -> PyResult<Operation> {
        let core = self.core.get(py)?.clone();
        self.shown.clear();
        let run = |operation| async move {
            let mut cursor = core.lock().await;
            cursor.set_operation(operation);
            cursor.close().await;
            Ok(())
        };
        self.connection.get().operation(py, run, |py, ()| Ok(py.None()))
    }

    /// Whether `more` has to be awaited before another row can be taken.
    fn wants(&self) -> bool {
        self.shown.wants()
    }

    /// The next of the rows that have arrived; `None` if there is none.
    fn row<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        match self.shown.row(py)? {
            Taken::Rows(row) => Ok(Some(row)),
            Taken::Ask | Taken::End => Ok(None),
        }
    }

    /// Appends up to `count` of the rows that have arrived to a list.
    fn rows(&self, count: u32, list: &Bound<'_, PyList>) -> PyResult<()> {
        self.shown.rows(list.py(), count, list, None).map(drop)
    }

    #[getter]
    fn has_result(&self) -> bool {
        self.shown.has_result()
    }

    #[getter]
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        match self.shown.columns() {
            Some(columns) => columns::description(py, &columns).map(Some),
            None => Ok(None),
        }
    }

    #[getter]
    fn rowcount(&self) -> i64 {
        self.shown.row_count()
    }

    #[getter]
    fn lastrowid(&self) -> Option<i64> {
        self.shown.last_row_id()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }
}
