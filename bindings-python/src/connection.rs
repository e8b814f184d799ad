//! `dqlite.Connection`: the blocking connection, for any number of threads, which take turns.

use std::sync::atomic::{AtomicBool, Ordering};

use dqlite::{Convert, blocking};
use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::backup;
use crate::cursor::Cursor;
use crate::errors::local;
use crate::fork::Owned;
use crate::options;
use crate::runtime;
use crate::transaction::{self, Transaction};
use crate::wait::{in_turn, watch};

/// A connection to a database.
#[pyclass(module = "dqlite", frozen, subclass, weakref)]
pub struct Connection {
    core: Owned<blocking::Connection>,
    convert: bool,
    closed: AtomicBool,
    row_factory: Mutex<Option<Py<PyAny>>>,
}

/// Opens a connection: to the node of a data directory, or to a cluster by its URL.
#[pyfunction]
#[pyo3(signature = (target, **options))]
pub fn connect(
    target: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Connection> {
    let py = target.py();
    let target = options::target(target)?;
    let options = options::opening(py, &target, options)?;
    let core = runtime::wait(py, async move { dqlite::connect(&target, options).await })?;
    Ok(Connection::new(core.into()))
}

impl Connection {
    /// Wraps an open connection.
    pub fn new(core: blocking::Connection) -> Self {
        let convert = core.asynchronous().convert() == Convert::Decltype;
        core.set_watch(Some(watch()));
        Self {
            core: Owned::new(core),
            convert,
            closed: AtomicBool::new(false),
            row_factory: Mutex::new(None),
        }
    }

    /// The core's connection.
    ///
    /// # Errors
    /// The process has forked since it was opened.
    pub fn core(&self, py: Python<'_>) -> PyResult<&blocking::Connection> {
        self.core.get(py)
    }

    /// The core's connection, if it has not been closed here.
    ///
    /// # Errors
    /// The connection is closed, or of another process.
    pub fn open(&self, py: Python<'_>) -> PyResult<&blocking::Connection> {
        let core = self.core(py)?;
        if self.closed.load(Ordering::Relaxed) {
            return Err(local(py, "connection.closed", "the connection is closed"));
        }
        Ok(core)
    }

    /// Whether values are converted by their columns' declared types.
    pub fn convert(&self) -> bool {
        self.convert
    }

    /// The row factory that new cursors begin with.
    pub fn factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.row_factory.lock().as_ref().map(|factory| factory.clone_ref(py))
    }

    /// Runs a call of the core that may wait.
    ///
    /// # Errors
    /// The call's own, and what a signal handler raises.
    pub fn wait<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&blocking::Connection) -> Result<T, dqlite::Error> + Send,
    ) -> PyResult<T> {
        let core = self.core(py)?;
        in_turn(py, std::ptr::from_ref(core).addr(), || call(core))
    }
}

#[pymethods]
impl Connection {
    /// A new cursor.
    fn cursor<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Cursor>> {
        Bound::new(slf.py(), Cursor::of(slf)?)
    }

    /// Runs a statement in a new cursor.
    #[pyo3(
        signature = (sql, parameters = None),
        text_signature = "($self, sql, parameters=())"
    )]
    fn execute<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        parameters: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Cursor>> {
        let cursor = Cursor::of(slf)?;
        cursor.run(slf, sql, parameters)?;
        Bound::new(slf.py(), cursor)
    }

    /// Runs a statement once for each set of parameters, in a new cursor.
    #[pyo3(signature = (sql, parameters))]
    fn executemany<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        parameters: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Cursor>> {
        let cursor = Cursor::of(slf)?;
        cursor.run_many(slf, sql, parameters)?;
        Bound::new(slf.py(), cursor)
    }

    /// Runs any number of statements, in a new cursor.
    #[pyo3(signature = (sql))]
    fn executescript<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Cursor>> {
        let cursor = Cursor::of(slf)?;
        cursor.run_script(slf, sql)?;
        Bound::new(slf.py(), cursor)
    }

    /// Opens a transaction.
    #[pyo3(signature = (mode = "deferred"))]
    fn begin(&self, py: Python<'_>, mode: &str) -> PyResult<()> {
        let mode = options::mode(py, mode)?;
        self.wait(py, |core| core.begin(mode))
    }

    /// Commits the open transaction, if there is one.
    pub fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, blocking::Connection::commit)
    }

    /// Rolls the open transaction back, if there is one.
    pub fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, blocking::Connection::rollback)
    }

    /// A transaction as a context manager; or, with a function, run and committed.
    #[pyo3(signature = (body = None, mode = "immediate"))]
    fn transaction<'py>(
        slf: &Bound<'py, Self>,
        body: Option<&Bound<'py, PyAny>>,
        mode: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mode = options::mode(slf.py(), mode)?;
        match body {
            Some(body) => transaction::run(slf, body, mode),
            None => Ok(Bound::new(slf.py(), Transaction::new(slf, mode))?.into_any()),
        }
    }

    /// Cancels the call that runs on this connection now.
    fn interrupt(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        py.detach(|| core.interrupt());
        Ok(())
    }

    /// Copies the database into a file.
    #[pyo3(signature = (path, progress = None))]
    fn backup(&self, path: &Bound<'_, PyAny>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        backup::run(self, path, progress)
    }

    /// Closes the connection. An open transaction is rolled back.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, |core| {
            self.closed.store(true, Ordering::Relaxed);
            core.close()
        })
    }

    /// Waits until what is read here has everything up to this index.
    fn wait_for(&self, py: Python<'_>, index: u64) -> PyResult<()> {
        self.wait(py, |core| core.wait_for(index))
    }

    /// Whether a transaction is open.
    #[getter]
    fn in_transaction(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, blocking::Connection::in_transaction)
    }

    /// Whether each statement commits by itself.
    #[getter]
    fn autocommit(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, blocking::Connection::autocommit)
    }

    #[setter]
    fn set_autocommit(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.wait(py, |core| core.set_autocommit(on))
    }

    /// Rows changed since the connection was opened.
    #[getter]
    fn total_changes(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, blocking::Connection::total_changes)
    }

    /// The index of the replicated log that the connection has seen.
    #[getter]
    fn last_index(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, blocking::Connection::last_index)
    }

    /// Whether the connection was closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, blocking::Connection::is_closed)
    }

    /// Makes rows from a cursor and a tuple; `None` for the tuple itself.
    #[getter]
    fn row_factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.factory(py)
    }

    #[setter]
    fn set_row_factory(&self, factory: Option<Py<PyAny>>) {
        let _old = std::mem::replace(&mut *self.row_factory.lock(), factory);
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().open(slf.py())?;
        Ok(slf.clone())
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        transaction::leave(self, py, kind.is_none())?;
        Ok(false)
    }

    fn __repr__(&self) -> &'static str {
        match self.core.get_quietly().map(blocking::Connection::is_closed) {
            Some(false) => "<dqlite.Connection, open>",
            Some(true) => "<dqlite.Connection, closed>",
            None => "<dqlite.Connection of another process>",
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Who holds the lock holds a reference as well.
        match self.row_factory.try_lock() {
            Some(factory) => visit.call(&*factory),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let _old = self.row_factory.lock().take();
    }
}

impl Connection {
    /// Asks for something that the core keeps at hand, behind a lock that others may hold for long.
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&blocking::Connection) -> T + Send,
    ) -> PyResult<T> {
        let core = self.core(py)?;
        Ok(py.detach(|| ask(core)))
    }
}
