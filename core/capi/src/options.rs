//! Options, as pairs of texts.

use std::ffi::c_char;

use dqlite::{ConnectOptions, NodeSettings};

use crate::arguments::{items, text};
use crate::failure::Failure;

/// An option by its name, DQLITE_OPTION_*, with its value as a URL has it: "true", "250ms",
/// "session". Both end with a NUL.
#[repr(C)]
pub struct dqlite_option {
    /// The name.
    pub name: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// The options of a connection.
///
/// # Safety
/// `options` points to `count` options whose texts end with NULs, or `count` is 0.
pub(crate) unsafe fn for_connection(
    options: *const dqlite_option,
    count: usize,
) -> Result<ConnectOptions, Failure> {
    let mut chosen = ConnectOptions::default();
    // SAFETY: the caller's promise.
    unsafe { each(options, count, |name, value| Ok(chosen.set(name, value)?)) }?;
    Ok(chosen)
}

/// The options of a node; `address` is one of them.
///
/// # Safety
/// As [`for_connection`].
pub(crate) unsafe fn for_node(
    mut settings: NodeSettings,
    options: *const dqlite_option,
    count: usize,
) -> Result<NodeSettings, Failure> {
    let set = |name: &str, value: &str| {
        if name == "address" {
            settings.address = value.to_owned();
            return Ok(());
        }
        Ok(settings.set(name, value)?)
    };
    // SAFETY: the caller's promise.
    unsafe { each(options, count, set) }?;
    if settings.address.is_empty() {
        return Err(Failure::new("option.value", "a node needs the option address"));
    }
    Ok(settings)
}

/// What a node decides for its connections cannot be chosen for one of them.
pub(crate) fn check_with_node(options: &ConnectOptions) -> Result<(), Failure> {
    let tls = [&options.tls_ca, &options.tls_cert, &options.tls_key];
    let unwanted = match options {
        ConnectOptions { database: Some(_), .. } => Some("database, which is an argument here"),
        _ if tls.iter().any(|it| it.is_some()) => Some("TLS, which is the node's"),
        _ => None,
    };
    let refused = |what| Failure::new("option.value", format!("there is no option for {what}"));
    unwanted.map_or(Ok(()), |what| Err(refused(what)))
}

unsafe fn each(
    options: *const dqlite_option,
    count: usize,
    mut set: impl FnMut(&str, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let options = unsafe { items(options, count, "options") }?;
    let mut seen: Vec<&str> = Vec::new();
    for option in options {
        // SAFETY: the caller's promise.
        let name = unsafe { text(option.name, "the name of an option") }?;
        // SAFETY: the caller's promise.
        let value = unsafe { text(option.value, name) }?;
        if seen.contains(&name) {
            return Err(Failure::new("option.repeated", format!("option {name} is given twice")));
        }
        seen.push(name);
        set(name, value)?;
    }
    Ok(())
}
