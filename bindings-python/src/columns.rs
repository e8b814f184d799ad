//! What a result's columns are to Python: the DB-API's `description`.

use dqlite::Column;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// Seven items for each column, of which the first two say something: name and declared type.
///
/// # Errors
/// Python has no memory.
pub fn description<'py>(py: Python<'py>, columns: &[Column]) -> PyResult<Bound<'py, PyTuple>> {
    let items = columns.iter().map(|column| {
        let name = PyString::intern(py, &column.name);
        let declared = column.declared_type.as_deref().map(|text| PyString::intern(py, text));
        (name, declared, py.None(), py.None(), py.None(), py.None(), py.None()).into_pyobject(py)
    });
    PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)
}
