//! The native half of the Python package `dqlite`: it converts, and the crate `dqlite` decides.
//!
//! ```text
//!  Python ── Connection, Cursor ──── wait: detached, asked for signals ──── dqlite::blocking
//!         ── aio: AsyncConnection ── operation ─ queue ─ event loop ─────── dqlite
//!             values: parameters in, batches of rows out
//! ```
//!
//! Two rules hold everywhere. No lock is held while Python runs, and none is waited for while
//! attached to the interpreter, except those of [`shown`], which guard moves of a few words. And an
//! object checks, before it touches anything, that the process is the one it was made in.

mod aio;
mod backup;
mod cluster;
mod columns;
mod command;
mod connection;
mod cursor;
mod errors;
mod exit;
mod fork;
mod node;
mod options;
mod records;
mod runtime;
mod shown;
mod transaction;
mod values;
mod wait;

use pyo3::prelude::*;

/// The native module; `dqlite/__init__.py` shows what is public of it.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::aio::cluster::AsyncCluster;
    #[pymodule_export]
    use super::aio::completions::Completions;
    #[pymodule_export]
    use super::aio::connection::{AsyncConnection, Tries, connect_async};
    #[pymodule_export]
    use super::aio::cursor::AsyncCursor;
    #[pymodule_export]
    use super::aio::node::{AsyncNode, recover_async};
    #[pymodule_export]
    use super::aio::operation::Operation;
    #[pymodule_export]
    use super::cluster::Cluster;
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::connection::{Connection, connect};
    #[pymodule_export]
    use super::cursor::Cursor;
    #[pymodule_export]
    use super::errors::Fault;
    #[pymodule_export]
    use super::node::{Node, recover};
    #[pymodule_export]
    use super::transaction::Transaction;

    use super::{PyModule, PyResult, fork};
    use pyo3::Bound;
    use pyo3::types::{PyAnyMethods, PyModuleMethods};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        fork::watch(module.py())?;
        let close = pyo3::wrap_pyfunction!(super::exit::close, module)?;
        module.py().import("atexit")?.call_method1("register", (close,))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("sqlite_version", super::sqlite_version())
    }
}

/// The version of SQLite within.
fn sqlite_version() -> &'static str {
    libsqlite3_sys::SQLITE_VERSION.to_str().unwrap_or_default()
}
