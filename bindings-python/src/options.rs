//! Keyword arguments as the core's options.

use std::path::PathBuf;
use std::time::Duration;

use dqlite::{ConnectOptions, Convert, Level, NodeSettings};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use crate::errors::local;
use crate::wait::imported;

/// Reads the keyword arguments of `connect`. Python's own default goes in where neither they nor
/// the target say whether statements commit by themselves.
///
/// # Errors
/// `InterfaceError`: a name or a value that is none.
pub fn opening(
    py: Python<'_>,
    target: &str,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<ConnectOptions> {
    let mut core = ConnectOptions::default();
    if !says_autocommit(target) {
        core.autocommit = Some(false);
    }
    for (name, object) in keywords.into_iter().flatten() {
        if object.is_none() {
            continue;
        }
        let name = name.extract::<String>()?;
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
            "convert" => core.convert = Some(convert(&object)?),
            _ => return Err(unknown(py, &name)),
        }
    }
    Ok(core)
}

fn says_autocommit(target: &str) -> bool {
    let query = target.strip_prefix("dqlite://").and_then(|url| url.split_once('?'));
    query.is_some_and(|(_, query)| query.split('&').any(|option| option.starts_with("autocommit=")))
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

fn convert(object: &Bound<'_, PyAny>) -> PyResult<Convert> {
    let name = object.cast::<PyString>().map(|text| text.to_string()).unwrap_or_default();
    match name.as_str() {
        "none" => Ok(Convert::None),
        "decltype" => Ok(Convert::Decltype),
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
    let path =
        object.extract::<PathBuf>().ok().and_then(|path| path.into_os_string().into_string().ok());
    path.ok_or_else(|| {
        let message = "the target is a URL, or a path in UTF-8";
        local(object.py(), "target", message)
    })
}

/// The options of `Node.connect`.
///
/// # Errors
/// As [`opening`]; an option that the node has said already.
pub fn through_node(
    py: Python<'_>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<ConnectOptions> {
    let options = opening(py, "", keywords)?;
    let tls = [&options.tls_ca, &options.tls_cert, &options.tls_key];
    if tls.iter().any(|path| path.is_some()) || options.database.is_some() {
        let message =
            "a connection through a node has the node's database argument and TLS options";
        return Err(local(py, "option.unknown", message));
    }
    Ok(options)
}

/// The options of `Cluster`.
///
/// # Errors
/// `InterfaceError`: a name or a value that is none.
pub fn of_cluster(
    py: Python<'_>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<ConnectOptions> {
    for (name, _) in keywords.into_iter().flatten() {
        let name = name.extract::<String>()?;
        if !["timeout", "tls_ca", "tls_cert", "tls_key"].contains(&name.as_str()) {
            return Err(unknown(py, &name));
        }
    }
    let options = opening(py, "", keywords)?;
    Ok(ConnectOptions { autocommit: None, ..options })
}

/// The description of a node.
///
/// # Errors
/// `InterfaceError`: a name or a value that is none, or no address.
pub fn of_node(
    data_dir: &Bound<'_, PyAny>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<NodeSettings> {
    let py = data_dir.py();
    let mut settings = NodeSettings::new(path("data_dir", data_dir)?, "");
    for (name, object) in keywords.into_iter().flatten() {
        let name = name.extract::<String>()?;
        if object.is_none() {
            continue;
        }
        match name.as_str() {
            "address" => settings.address = text(&name, &object)?,
            "join" => settings.join = addresses(&name, &object)?,
            "id" => settings.id = Some(number(&name, &object)?),
            "bind" => settings.bind = Some(text(&name, &object)?),
            "voters" => settings.voters = Some(number(&name, &object)?),
            "standbys" => settings.standbys = Some(number(&name, &object)?),
            "failure_domain" => settings.failure_domain = Some(number(&name, &object)?),
            "weight" => settings.weight = Some(number(&name, &object)?),
            "log_backend" => settings.log_backend = Some(text(&name, &object)?),
            "checkpoint_frames" => settings.checkpoint_frames = Some(number(&name, &object)?),
            "snapshot_threshold" => settings.snapshot_threshold = Some(number(&name, &object)?),
            "election_timeout" => settings.election_timeout = Some(duration(&name, &object)?),
            "heartbeat" => settings.heartbeat = Some(duration(&name, &object)?),
            "tls_ca" => settings.tls_ca = Some(path(&name, &object)?),
            "tls_cert" => settings.tls_cert = Some(path(&name, &object)?),
            "tls_key" => settings.tls_key = Some(path(&name, &object)?),
            _ => return Err(unknown(py, &name)),
        }
    }
    if settings.address.is_empty() {
        return Err(local(py, "option.value", "a node needs an address"));
    }
    Ok(settings)
}

fn number<T: for<'a, 'py> FromPyObject<'a, 'py>>(
    name: &str,
    object: &Bound<'_, PyAny>,
) -> PyResult<T> {
    object.extract::<T>().map_err(|_| wrong(object, name, "a number in its bounds"))
}

fn addresses(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let refused = || wrong(object, name, "a list of addresses");
    if object.is_instance_of::<PyString>() {
        return Err(refused());
    }
    object.extract::<Vec<String>>().map_err(|_| refused())
}
