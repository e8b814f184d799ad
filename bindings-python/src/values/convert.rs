//! `convert = "decltype"`: dates, times and booleans by the declared types of columns.

use dqlite::{Column, ValueRef};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyString};

use crate::errors::local;
use crate::wait::imported;

/// What a column's values become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// `bool`, from 0 or 1.
    Boolean,
    /// `datetime.date`, from a text in ISO 8601.
    Date,
    /// `datetime.datetime`, from a text in ISO 8601.
    DateTime,
}

/// The conversion that a column's declared type asks for.
pub fn conversion(column: &Column) -> Option<Conversion> {
    let declared = column.declared_type.as_deref()?;
    let word = declared.split('(').next().unwrap_or_default().trim();
    if word.eq_ignore_ascii_case("boolean") {
        Some(Conversion::Boolean)
    } else if word.eq_ignore_ascii_case("date") {
        Some(Conversion::Date)
    } else if word.eq_ignore_ascii_case("datetime") || word.eq_ignore_ascii_case("timestamp") {
        Some(Conversion::DateTime)
    } else {
        None
    }
}

impl Conversion {
    /// The Python object for a value that is not NULL.
    ///
    /// # Errors
    /// `DataError`: the value does not have the form.
    pub fn apply<'py>(
        self,
        py: Python<'py>,
        value: ValueRef<'_>,
        column: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let converted = match (self, value) {
            (Self::Boolean, ValueRef::Integer(number @ (0 | 1))) => {
                Some(PyBool::new(py, number == 1).to_owned().into_any())
            }
            (Self::Date, ValueRef::Text(text)) => parsed(py, "date", text)?,
            (Self::DateTime, ValueRef::Text(text)) => parsed(py, "datetime", text)?,
            _ => None,
        };
        converted.ok_or_else(|| {
            let form = match self {
                Self::Boolean => "a boolean, 0 or 1",
                Self::Date => "a date in ISO 8601",
                Self::DateTime => "a date and time in ISO 8601",
            };
            let kind = value.value_type();
            let number = column + 1;
            let message =
                format!("column {number}: declared as {form}, but holds another {kind:?}");
            local(py, "value.convert", message)
        })
    }
}

/// The date or time that a text names, if it names one.
fn parsed<'py>(py: Python<'py>, kind: &str, text: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    static DATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let Ok(text) = std::str::from_utf8(text) else { return Ok(None) };
    let class = match kind {
        "date" => imported(py, &DATE, "datetime", "date")?,
        _ => imported(py, &DATETIME, "datetime", "datetime")?,
    };
    // Python 3.10 does not know `Z`.
    let spelled = text.strip_suffix('Z').map(|rest| format!("{rest}+00:00"));
    let text = PyString::new(py, spelled.as_deref().unwrap_or(text));
    Ok(class.call_method1("fromisoformat", (text,)).ok())
}
