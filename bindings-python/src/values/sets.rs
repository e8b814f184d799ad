//! The parameters of a statement: a sequence or a mapping.

use dqlite::{ParameterSet, Text, Value};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

use super::encode::{Which, encoded, value};
use crate::errors::local;

/// One set of parameters.
///
/// # Errors
/// It is neither a sequence nor a mapping, or a value in it does not fit.
pub fn one(parameters: Option<&Bound<'_, PyAny>>) -> PyResult<ParameterSet> {
    let Some(parameters) = parameters else { return Ok(ParameterSet::default()) };
    if let Ok(tuple) = parameters.cast::<PyTuple>() {
        positional(tuple.len(), tuple.iter().map(Ok))
    } else if let Ok(list) = parameters.cast::<PyList>() {
        positional(list.len(), list.iter().map(Ok))
    } else if let Ok(dict) = parameters.cast::<PyDict>() {
        named(dict.iter())
    } else if let Ok(mapping) = parameters.cast::<PyMapping>() {
        let items = mapping.items()?;
        let pairs = items.iter().map(|item| item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>());
        named(pairs.collect::<PyResult<Vec<_>>>()?.into_iter())
    } else if is_sequence(parameters)? {
        positional(parameters.len()?, parameters.try_iter()?)
    } else {
        let kind = parameters.get_type().fully_qualified_name()?;
        let message = format!("parameters are a sequence or a mapping, not a {kind}");
        Err(local(parameters.py(), "parameter.type", message))
    }
}

/// Any number of sets of parameters, for `executemany`.
///
/// # Errors
/// As [`one`] for any of them; what the iteration raises.
pub fn many(sets: &Bound<'_, PyAny>) -> PyResult<Vec<ParameterSet>> {
    let mut converted = Vec::with_capacity(sets.len().unwrap_or(0).min(1 << 16));
    for set in sets.try_iter()? {
        converted.push(one(Some(&set?))?);
    }
    Ok(converted)
}

/// A text is a sequence too, and never one of parameters: `("abc")` lacks a comma.
fn is_sequence(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_text = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>();
    Ok(!is_text && object.hasattr("__getitem__")? && object.hasattr("__len__")?)
}

fn positional<'py>(
    count: usize,
    objects: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
) -> PyResult<ParameterSet> {
    let mut values = Vec::with_capacity(count.min(1 << 16));
    for (index, object) in objects.enumerate() {
        values.push(value(&object?, Which::Position(index + 1))?);
    }
    Ok(ParameterSet::Positional(values))
}

fn named<'py>(
    pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<ParameterSet> {
    pairs.map(pair).collect::<PyResult<Vec<_>>>().map(ParameterSet::Named)
}

fn pair((name, object): (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<(Text, Value)> {
    let Ok(name) = name.cast::<PyString>() else {
        let kind = name.get_type().fully_qualified_name()?;
        let message = format!("names of parameters are texts; one is a {kind}");
        return Err(local(name.py(), "parameter.type", message));
    };
    let name = encoded(name, Which::Name("(name)"))?;
    let value = value(&object, Which::Name(&name))?;
    Ok((name, value))
}
