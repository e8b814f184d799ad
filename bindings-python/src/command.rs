//! The command `dqlite`, for `python -m dqlite`.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command and gives its exit status. `program` is what starts it once more.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>, program: Vec<OsString>) -> u8 {
    py.detach(|| dqlite_cli::main(arguments, program))
}
