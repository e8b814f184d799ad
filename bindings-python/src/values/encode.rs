//! One Python object as a value of SQLite: exactly, or not at all.

use bytes::Bytes;
use dqlite::{Text, Value};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyFloat, PyInt, PyMemoryView, PyString};

use crate::errors::local;
use crate::wait::imported;

/// Which parameter a value is for, for the message of an error.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    /// By its place, from 1.
    Position(usize),
    /// By its name.
    Name(&'a str),
}

impl std::fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Position(position) => write!(f, "parameter {position}"),
            Self::Name(name) => write!(f, "parameter {name:?}"),
        }
    }
}

/// The value of SQLite that is this object.
///
/// # Errors
/// `DataError` for what SQLite cannot hold, `ProgrammingError` for a type that is none of its.
pub fn value(object: &Bound<'_, PyAny>, which: Which<'_>) -> PyResult<Value> {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(text) = object.cast::<PyString>() {
        Ok(Value::Text(encoded(text, which)?))
    } else if let Ok(number) = object.cast::<PyInt>() {
        integer(number.as_any(), which)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        real(object.py(), number.value(), which)
    } else if let Ok(blob) = object.cast::<PyBytes>() {
        Ok(Value::Blob(Bytes::copy_from_slice(blob.as_bytes())))
    } else {
        uncommon(object, which)
    }
}

/// A text in UTF-8.
///
/// # Errors
/// `DataError`: it has a lone surrogate.
pub fn encoded(text: &Bound<'_, PyString>, which: Which<'_>) -> PyResult<Text> {
    match text.to_str() {
        Ok(utf8) => Ok(Text::from(utf8)),
        Err(_) => Err(surrogate(text.py(), &which.to_string())),
    }
}

/// The error for a text that has no UTF-8.
pub fn surrogate(py: Python<'_>, what: &str) -> PyErr {
    let message = format!("{what}: a lone surrogate cannot be encoded in UTF-8");
    local(py, "value.text", message)
}

fn integer(number: &Bound<'_, PyAny>, which: Which<'_>) -> PyResult<Value> {
    match number.extract::<i64>() {
        Ok(number) => Ok(Value::Integer(number)),
        Err(_) => {
            let message = format!("{which}: the integer does not fit 64 bits");
            Err(local(number.py(), "value.integer", message))
        }
    }
}

fn real(py: Python<'_>, number: f64, which: Which<'_>) -> PyResult<Value> {
    if number.is_nan() {
        let message = format!("{which}: SQLite has no NaN and would store NULL");
        return Err(local(py, "value.not_a_number", message));
    }
    Ok(Value::Float(number))
}

fn uncommon(object: &Bound<'_, PyAny>, which: Which<'_>) -> PyResult<Value> {
    let py = object.py();
    if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        return blob(object);
    }
    if let Some(text) = iso_8601(object)? {
        return Ok(Value::Text(encoded(text.cast::<PyString>()?, which)?));
    }
    // Integers of other libraries, before buffers: numpy's scalars are both.
    if object.hasattr("__index__")? {
        return integer(&object.call_method0("__index__")?, which);
    }
    if let Ok(view) = PyMemoryView::from(object)
        && view.getattr("ndim")?.extract::<usize>()? > 0
    {
        return blob(&view);
    }
    let kind = object.get_type().fully_qualified_name()?;
    let message = format!("{which}: no value of SQLite is made from a {kind}");
    Err(local(py, "parameter.type", message))
}

fn blob(buffer: &Bound<'_, PyAny>) -> PyResult<Value> {
    let view = PyMemoryView::from(buffer)?;
    let bytes = view.call_method0("tobytes")?;
    Ok(Value::Blob(Bytes::copy_from_slice(bytes.cast::<PyBytes>()?.as_bytes())))
}

/// Dates and times as text that SQLite's own functions read.
fn iso_8601<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static DATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    if object.is_instance(imported(py, &DATETIME, "datetime", "datetime")?)? {
        return object.call_method1("isoformat", (" ",)).map(Some);
    }
    let is_date = object.is_instance(imported(py, &DATE, "datetime", "date")?)?;
    if is_date || object.is_instance(imported(py, &TIME, "datetime", "time")?)? {
        return object.call_method0("isoformat").map(Some);
    }
    Ok(None)
}
