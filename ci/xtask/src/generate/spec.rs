//! The description of the interface, as its files say it.

mod check;
mod errors;
mod interface;
mod options;
mod values;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

pub use self::errors::{Class, Entry, Errors};
pub use self::interface::{Case, Enumeration, Function, Interface, Naming, Parameter, Type};
pub use self::options::{Choice, Default, Kind, Options};
pub use self::values::Values;
use crate::process;

/// Where the files are.
pub const FOLDER: &str = "core/spec";

/// All of it.
pub struct Spec {
    pub interface: Interface,
    pub options: Options,
    pub errors: Errors,
    pub values: Values,
}

impl Spec {
    /// Reads the files and checks that they agree with one another.
    pub fn read() -> Result<Spec> {
        let spec = Spec {
            interface: file("interface.toml")?,
            options: file("options.toml")?,
            errors: file("errors.toml")?,
            values: file("values.toml")?,
        };
        spec.check()?;
        Ok(spec)
    }

    /// The set of words called `name`.
    pub fn enumeration(&self, name: &str) -> Option<&Enumeration> {
        self.interface.enumerations.iter().find(|found| found.name == name)
    }
}

fn file<T: DeserializeOwned>(name: &str) -> Result<T> {
    let path = format!("{FOLDER}/{name}");
    let text = std::fs::read_to_string(process::root().join(&path))
        .with_context(|| format!("cannot read {path}"))?;
    toml::from_str(&text).with_context(|| path)
}
