//! `dqlite.Cursor`: one result at a time, fetched in batches, made into tuples here.

use std::sync::atomic::{AtomicBool, Ordering};

use dqlite::blocking;
use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::columns;
use crate::connection::Connection;
use crate::errors::local;
use crate::fork::Owned;
use crate::shown::{Garbled, Left, Shown, Taken};
use crate::values;
use crate::values::surrogate;

/// A cursor of a connection.
#[pyclass(module = "dqlite", frozen, subclass, weakref)]
pub struct Cursor {
    connection: Py<Connection>,
    /// Held while a call runs. Whoever waits for it is detached.
    core: Owned<Mutex<Open>>,
    closed: AtomicBool,
    shown: Shown,
    settings: Mutex<Settings>,
}

/// The core's cursor, until it is closed.
struct Open(Option<blocking::Cursor>);

struct Settings {
    array_size: usize,
    row_factory: Option<Py<PyAny>>,
}

impl Cursor {
    /// A new cursor.
    ///
    /// # Errors
    /// The connection is closed, or of another process.
    pub fn of(connection: &Bound<'_, Connection>) -> PyResult<Self> {
        let py = connection.py();
        let this = connection.get();
        let core = this.open(py)?;
        let settings = Settings { array_size: 1, row_factory: this.factory(py) };
        Ok(Self {
            core: Owned::new(Mutex::new(Open(Some(core.cursor())))),
            closed: AtomicBool::new(false),
            connection: connection.clone().unbind(),
            shown: Shown::default(),
            settings: Mutex::new(settings),
        })
    }

    /// Runs a call of the core, and shows what it left.
    fn call(
        &self,
        connection: &Connection,
        py: Python<'_>,
        call: impl FnOnce(&mut blocking::Cursor) -> Result<(), dqlite::Error> + Send,
    ) -> PyResult<()> {
        let core = self.core.get(py)?;
        let convert = connection.convert();
        let called = connection.wait(py, |_| {
            let mut open = core.lock();
            let Some(cursor) = &mut open.0 else { return Ok(Called::Closed) };
            self.shown.clear();
            call(cursor)?;
            let first = match cursor.columns() {
                Some(_) => cursor.next_batch()?,
                None => None,
            };
            let (count, id) = (cursor.row_count(), cursor.last_row_id());
            let left = Left::new(cursor.columns().cloned(), convert, count, id, first);
            Ok(self.shown.set(left).into())
        })?;
        called.check(py)
    }

    /// Gets the next batch of rows, unless another thread did meanwhile.
    fn refill(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core.get(py)?;
        let called = self.connection.get().wait(py, |_| {
            let mut open = core.lock();
            let Some(cursor) = &mut open.0 else { return Ok(Called::Closed) };
            if !self.shown.wants() {
                return Ok(Called::Well);
            }
            let batch = cursor.next_batch()?;
            Ok(self.shown.refill(batch).into())
        })?;
        called.check(py)
    }

    /// `execute`.
    pub fn run(
        &self,
        connection: &Bound<'_, Connection>,
        sql: &Bound<'_, PyAny>,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let sql = text(sql)?;
        let sql = utf8(sql)?;
        let set = values::one(parameters)?;
        self.call(connection.get(), connection.py(), |cursor| cursor.execute(sql, set))
    }

    /// `executemany`.
    pub fn run_many(
        &self,
        connection: &Bound<'_, Connection>,
        sql: &Bound<'_, PyAny>,
        sets: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let sql = text(sql)?;
        let sql = utf8(sql)?;
        let sets = values::many(sets)?;
        self.call(connection.get(), connection.py(), |cursor| cursor.execute_many(sql, sets))
    }

    /// `executescript`.
    pub fn run_script(
        &self,
        connection: &Bound<'_, Connection>,
        sql: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let sql = text(sql)?;
        let sql = utf8(sql)?;
        self.call(connection.get(), connection.py(), |cursor| cursor.execute_script(sql))
    }

    /// Refuses what was closed: rows that have arrived are gone as well.
    fn readable(&self, py: Python<'_>) -> PyResult<()> {
        self.connection.get().open(py)?;
        if self.closed.load(Ordering::Relaxed) {
            return Err(local(py, "cursor.closed", "the cursor is closed"));
        }
        Ok(())
    }

    fn factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.settings.lock().row_factory.as_ref().map(|factory| factory.clone_ref(py))
    }

    fn next<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        this.readable(py)?;
        let row = loop {
            match this.shown.row(py)? {
                Taken::Rows(row) => break row,
                Taken::Ask => this.refill(py)?,
                Taken::End => return Ok(None),
            }
        };
        match this.factory(py) {
            None => Ok(Some(row.into_any())),
            Some(factory) => factory.bind(py).call1((slf, row)).map(Some),
        }
    }

    fn fetch<'py>(slf: &Bound<'py, Self>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let (py, this) = (slf.py(), slf.get());
        this.readable(py)?;
        let factory = this.factory(py);
        let made = |row: Bound<'py, PyTuple>| match &factory {
            Some(factory) => factory.bind(py).call1((slf, row)),
            None => Ok(row.into_any()),
        };
        let factory: Option<&dyn Fn(_) -> _> = factory.as_ref().map(|_| &made as _);
        let list = PyList::empty(py);
        while list.len() < count {
            let wanted = u32::try_from(count - list.len()).unwrap_or(u32::MAX);
            match this.shown.rows(py, wanted, &list, factory)? {
                Taken::Rows(_) => {}
                Taken::Ask => this.refill(py)?,
                Taken::End => break,
            }
        }
        Ok(list)
    }
}

/// How a call on the core's cursor ended, errors of the core aside.
enum Called {
    Well,
    Closed,
    Garbled,
}

impl From<Result<(), Garbled>> for Called {
    fn from(result: Result<(), Garbled>) -> Self {
        result.map_or(Self::Garbled, |()| Self::Well)
    }
}

impl Called {
    fn check(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Well => Ok(()),
            Self::Closed => Err(local(py, "cursor.closed", "the cursor is closed")),
            Self::Garbled => Err(local(py, "internal", "a batch of rows is not whole")),
        }
    }
}

/// SQL is text, and nothing that could be taken for it.
pub fn text<'a, 'py>(sql: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyString>> {
    sql.cast::<PyString>().map_err(|_| {
        let kind = sql.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        local(sql.py(), "parameter.type", format!("SQL is a str, not a {kind}"))
    })
}

/// SQL as the core takes it.
pub fn utf8<'a>(sql: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    sql.to_str().map_err(|_| surrogate(sql.py(), "the SQL"))
}

#[pymethods]
impl Cursor {
    #[new]
    fn new(connection: &Bound<'_, Connection>) -> PyResult<Self> {
        Self::of(connection)
    }

    /// Runs a statement.
    #[pyo3(
        signature = (sql, parameters = None),
        text_signature = "($self, sql, parameters=())"
    )]
    fn execute<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        parameters: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().run(slf.get().connection.bind(slf.py()), sql, parameters)?;
        Ok(slf.clone())
    }

    /// Runs a statement once for each set of parameters.
    #[pyo3(signature = (sql, parameters))]
    fn executemany<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        parameters: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().run_many(slf.get().connection.bind(slf.py()), sql, parameters)?;
        Ok(slf.clone())
    }

    /// Runs any number of statements.
    #[pyo3(signature = (sql))]
    fn executescript<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().run_script(slf.get().connection.bind(slf.py()), sql)?;
        Ok(slf.clone())
    }

    /// The next row; `None` after the last.
    fn fetchone<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::next(slf)
    }

    /// The next rows, `arraysize` of them by default.
    #[pyo3(signature = (size = None))]
    fn fetchmany<'py>(slf: &Bound<'py, Self>, size: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        let count = match size {
            None => slf.get().settings.lock().array_size,
            // sqlite3 takes a negative number for all rows as well.
            Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
        };
        if count == 0 && !slf.get().shown.has_result() {
            return Err(local(slf.py(), "cursor.no_result", "there are no rows to fetch"));
        }
        Self::fetch(slf, count)
    }

    /// All remaining rows.
    fn fetchall<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Self::fetch(slf, usize::MAX)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::next(slf)
    }

    /// Closes the cursor. Twice is fine.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core.get(py)?;
        self.closed.store(true, Ordering::Relaxed);
        self.shown.clear();
        self.connection.get().wait(py, |_| match core.lock().0.take() {
            Some(mut cursor) => cursor.close(),
            None => Ok(()),
        })
    }

    /// Nothing, as the DB-API allows: sizes need no announcement.
    fn setinputsizes(&self, sizes: &Bound<'_, PyAny>) {
        let _ = sizes;
    }

    /// Nothing, as the DB-API allows.
    #[pyo3(signature = (size, column = None))]
    fn setoutputsize(&self, size: &Bound<'_, PyAny>, column: Option<&Bound<'_, PyAny>>) {
        let _ = (size, column);
    }

    /// Seven items for each column of the result, the first two its name and declared type.
    #[getter]
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        match self.shown.columns() {
            Some(columns) => columns::description(py, &columns).map(Some),
            None => Ok(None),
        }
    }

    /// Rows that the last statement changed; -1 if it changes none.
    #[getter]
    fn rowcount(&self) -> i64 {
        self.shown.row_count()
    }

    /// The rowid of the last row that was inserted.
    #[getter]
    fn lastrowid(&self) -> Option<i64> {
        self.shown.last_row_id()
    }

    /// How many rows `fetchmany` gives by default.
    #[getter]
    fn arraysize(&self) -> usize {
        self.settings.lock().array_size
    }

    #[setter]
    fn set_arraysize(&self, size: usize) {
        self.settings.lock().array_size = size;
    }

    /// Makes rows from this cursor and a tuple; `None` for the tuple itself.
    #[getter]
    fn row_factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.factory(py)
    }

    #[setter]
    fn set_row_factory(&self, factory: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut self.settings.lock().row_factory, factory);
    }

    /// The connection of this cursor.
    #[getter]
    fn connection(&self, py: Python<'_>) -> Py<Connection> {
        self.connection.clone_ref(py)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.close(py)?;
        Ok(false)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)?;
        match self.settings.try_lock() {
            Some(settings) => visit.call(&settings.row_factory),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let _old = self.settings.lock().row_factory.take();
    }
}
