//! Rows of a batch as tuples, straight from its bytes.
//!
//! The layout is that of [`dqlite::RowBatch`]. Every length is checked, though the batch was made or
//! checked by the core.

use dqlite::ValueRef;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString, PyTuple};

use super::Conversion;
use crate::errors::local;

/// A place in the bytes of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    rest: &'a [u8],
}

impl<'a> Place<'a> {
    /// The beginning of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes follow.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    #[inline]
    fn value(&mut self) -> Option<ValueRef<'a>> {
        Some(match self.array::<1>()? {
            [0] => ValueRef::Null,
            [1] => ValueRef::Integer(i64::from_le_bytes(self.array()?)),
            [2] => ValueRef::Float(f64::from_le_bytes(self.array()?)),
            [3] => ValueRef::Text(self.bytes()?),
            [4] => ValueRef::Blob(self.bytes()?),
            _ => return None,
        })
    }
}

/// Goes over one row without looking at it; `None` if the bytes end before it does.
pub fn skip_row(place: &mut Place<'_>, columns: usize) -> Option<()> {
    for _ in 0..columns {
        match place.array::<1>()? {
            [0] => {}
            [1 | 2] => drop(place.array::<8>()?),
            [3 | 4] => drop(place.bytes()?),
            _ => return None,
        }
    }
    Some(())
}

/// Makes tuples of the next `count` rows and hands each to `each`.
///
/// # Errors
/// `DataError` for a text that is not UTF-8 and for a conversion that fails; `InternalError` for
/// bytes that are no batch; what `each` fails with.
pub fn rows<'py>(
    py: Python<'py>,
    bytes: &[u8],
    count: u32,
    columns: usize,
    conversions: &[Option<Conversion>],
    mut each: impl FnMut(Bound<'py, PyTuple>) -> PyResult<()>,
) -> PyResult<()> {
    let mut place = Place::new(bytes);
    let mut cells = Vec::with_capacity(columns.min(1 << 15));
    for _ in 0..count {
        for column in 0..columns {
            let Some(value) = place.value() else { return Err(garbled(py)) };
            let conversion = conversions.get(column).copied().flatten();
            cells.push(cell(py, value, column, conversion)?);
        }
        each(PyTuple::new(py, cells.drain(..))?)?;
    }
    Ok(())
}

#[inline]
fn cell<'py>(
    py: Python<'py>,
    value: ValueRef<'_>,
    column: usize,
    conversion: Option<Conversion>,
) -> PyResult<Bound<'py, PyAny>> {
    if let (Some(conversion), false) = (conversion, value == ValueRef::Null) {
        return conversion.apply(py, value, column);
    }
    Ok(match value {
        ValueRef::Null => py.None().into_bound(py),
        ValueRef::Integer(number) => PyInt::new(py, number).into_any(),
        ValueRef::Float(number) => PyFloat::new(py, number).into_any(),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => PyString::new(py, text).into_any(),
            Err(_) => {
                let message = format!("column {}: the text is not UTF-8", column + 1);
                return Err(local(py, "value.text", message));
            }
        },
        ValueRef::Blob(blob) => PyBytes::new(py, blob).into_any(),
        _ => return Err(garbled(py)),
    })
}

fn garbled(py: Python<'_>) -> PyErr {
    local(py, "internal", "a batch of rows is not whole")
}
