//! Keyword arguments as the core's options.

use std::path::PathBuf;
use std::time::Duration;

use dqlite::{ConnectOptions, Level};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use crate::errors::local;
use crate::wait::imported;

/// What `connect` takes besides the target.
#[derive(Default)]
pub struct Opening {
    /// What goes to the core.
    pub core: ConnectOptions,
    /// `convert = "decltype"`.
    pub convert: bool,
}

/// Reads the keyword arguments of `connect`.
///
/// # Errors
/// `InterfaceError`: a name or a value that is none.
pub fn opening(py: Python<'_>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Opening> {
    let mut opening = Opening::default();
    for (name, object) in keywords.into_iter().flatten() {
        if object.is_none() {
            continue;
        }
        let name = name.extract::<String>()?;
        let core = &mut opening.core;
        match name.as_str() {
            "database" => core.database = Some(text(&name, &object)?),
            "autocommit" => core.autocommit = Some(truth(&name, &object)?),
            "consistency" => core.consistency = Some(level(&object)?),
            "max_staleness" => core.max_staleness = Some(duration(&name, &object)?),
            "timeout" => core.timeout = Some(duration(&name, &object)?),
            "busy_timeout" => core.busy_timeout = Some(duration(&name, &object)?),
            "retry" => core.retry = Some(truth(&name, &object)?),
            "tls_ca" => core.tls_ca = Some(path(&name, &object)?),
            "tls_cert" => core.tls_cert = Some(path(&name, &object)?),
            "tls_key" => core.tls_key = Some(path(&name, &object)?),
            "convert" => opening.convert = convert(&object)?,
            _ => return Err(unknown(py, &name)),
        }
    }
    Ok(opening)
}

/// The error for a keyword that no option has.
pub fn unknown(py: Python<'_>, name: &str) -> PyErr {
    local(py, "option.unknown", format!("no option is called {name:?}"))
}

fn wrong(object: &Bound<'_, PyAny>, name: &str, wanted: &str) -> PyErr {
    let shown = object.repr().map_or_else(|_| "a value".to_owned(), |repr| repr.to_string());
    local(object.py(), "option.value", format!("{name} is {wanted}, not {shown}"))
}

/// A text.
///
/// # Errors
/// It is something else.
pub fn text(name: &str, object: &Bound<'_, PyAny>) -> PyResult<String> {
    object.extract::<String>().map_err(|_| wrong(object, name, "a text"))
}

/// A boolean.
///
/// # Errors
/// It is something else.
pub fn truth(name: &str, object: &Bound<'_, PyAny>) -> PyResult<bool> {
    object.extract::<bool>().map_err(|_| wrong(object, name, "True or False"))
}

/// A path: a text, or what `os.fspath` takes.
///
/// # Errors
/// It is something else.
pub fn path(name: &str, object: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    object.extract::<PathBuf>().map_err(|_| wrong(object, name, "a path"))
}

/// A span of time: seconds, or a `timedelta`.
///
/// # Errors
/// It is something else, or negative.
pub fn duration(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Duration> {
    static TIMEDELTA: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let timedelta = imported(object.py(), &TIMEDELTA, "datetime", "timedelta")?;
    let seconds = if object.is_instance(timedelta)? {
        object.call_method0("total_seconds")?.extract::<f64>()
    } else {
        object.extract::<f64>()
    };
    let seconds = seconds.ok().filter(|_| !object.is_instance_of::<pyo3::types::PyBool>());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| wrong(object, name, "a number of seconds or a timedelta"))
}

fn level(object: &Bound<'_, PyAny>) -> PyResult<Level> {
    let name = object.cast::<PyString>().map(|text| text.to_string()).unwrap_or_default();
    match name.as_str() {
        "linearizable" => Ok(Level::Linearizable),
        "leader" => Ok(Level::Leader),
        "session" => Ok(Level::Session),
        "stale" => Ok(Level::Stale),
        _ => Err(wrong(object, "consistency", "linearizable, leader, session or stale")),
    }
}

fn convert(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let name = object.cast::<PyString>().map(|text| text.to_string()).unwrap_or_default();
    match name.as_str() {
        "none" => Ok(false),
        "decltype" => Ok(true),
        _ => Err(wrong(object, "convert", "none or decltype")),
    }
}

/// The mode of a transaction.
///
/// # Errors
/// It is none.
pub fn mode(py: Python<'_>, name: &str) -> PyResult<dqlite::TransactionMode> {
    match name {
        "deferred" => Ok(dqlite::TransactionMode::Deferred),
        "immediate" => Ok(dqlite::TransactionMode::Immediate),
        "exclusive" => Ok(dqlite::TransactionMode::Exclusive),
        _ => {
            let message = format!("mode is deferred, immediate or exclusive, not {name:?}");
            Err(local(py, "option.value", message))
        }
    }
}

/// The target of `connect`: a URL, or a path.
///
/// # Errors
/// It is neither.
pub fn target(object: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = object.extract::<String>() {
        return Ok(text);
    }
    let path = object.extract::<PathBuf>().ok().and_then(|path| path.into_os_string().into_string().ok());
    path.ok_or_else(|| {
        let message = "the target is a URL, or a path in UTF-8";
        local(object.py(), "target", message)
    })
}
