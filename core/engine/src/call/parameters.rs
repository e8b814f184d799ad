//! The values of a call, and their way to the places of a statement. Rule 2 of the module above.

use std::collections::BTreeMap;

use dqlite_vfs::{Statement, ValueRef};

use super::cache::Compiled;
use crate::error::Error;

/// Sets of values for a statement's places.
pub trait CallParameters: Send + 'static {
    /// How many sets there are.
    fn set_count(&self) -> usize;
    /// True where the values of the set come with names.
    fn is_named(&self, set: usize) -> bool;
    /// How many values the set has.
    fn value_count(&self, set: usize) -> usize;
    /// A value of the set, counted from 0.
    fn value(&self, set: usize, index: usize) -> ValueRef<'_>;
    /// The name of a value of a named set, without its sign.
    fn name(&self, set: usize, index: usize) -> &str;
}

impl CallParameters for () {
    fn set_count(&self) -> usize {
        0
    }

    fn is_named(&self, _: usize) -> bool {
        false
    }

    fn value_count(&self, _: usize) -> usize {
        0
    }

    fn value(&self, _: usize, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn name(&self, _: usize, _: usize) -> &str {
        ""
    }
}

/// Binds a set of values, which must fit exactly. A set that is not there has no values.
pub(super) fn bind_exactly<P: CallParameters>(
    statement: &mut Statement,
    compiled: &mut Compiled,
    parameters: &P,
    set: usize,
) -> Result<(), Error> {
    let is_there = set < parameters.set_count();
    let given = if is_there { parameters.value_count(set) } else { 0 };
    if is_there && parameters.is_named(set) {
        return bind_named(statement, compiled, parameters, set);
    }
    let taken = compiled.places;
    if given < taken {
        let place = describe(statement, given + 1);
        let reason = format!("{place} has no value: {}", counts(given, taken));
        return Err(Error::Parameters(reason));
    }
    if given > taken {
        let reason = format!("value {} has no parameter: {}", taken + 1, counts(given, taken));
        return Err(Error::Parameters(reason));
    }
    for index in 0..given {
        statement.bind(index + 1, parameters.value(set, index))?;
    }
    Ok(())
}

fn bind_named<P: CallParameters>(
    statement: &mut Statement,
    compiled: &mut Compiled,
    parameters: &P,
    set: usize,
) -> Result<(), Error> {
    let given = parameters.value_count(set);
    let names = compiled.names.get_or_insert_with(|| names_of(statement, compiled.places));
    let mut by_name = BTreeMap::new();
    for index in 0..given {
        let name = parameters.name(set, index);
        if by_name.insert(name, (index, false)).is_some() {
            return Err(Error::Parameters(format!("parameter {name} has two values")));
        }
    }
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name else {
            let reason = format!("parameter {} has no name, and the values have", index + 1);
            return Err(Error::Parameters(reason));
        };
        let Some((value, used)) = by_name.get_mut(&name[1..]) else {
            return Err(Error::Parameters(format!("parameter {name} has no value")));
        };
        *used = true;
        statement.bind(index + 1, parameters.value(set, *value))?;
    }
    match by_name.iter().find(|(_, (_, used))| !used) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Parameters(format!("no parameter is called {name}"))),
    }
}

/// The names of all places, with their signs.
fn names_of(statement: &Statement, places: usize) -> Box<[Option<Box<str>>]> {
    (1..=places)
        .map(|place| statement.parameter_name(place).filter(|name| name.is_char_boundary(1)))
        .map(|name| name.map(String::into_boxed_str))
        .collect()
}

fn describe(statement: &Statement, place: usize) -> String {
    match statement.parameter_name(place) {
        Some(name) => format!("parameter {place} ({name})"),
        None => format!("parameter {place}"),
    }
}

fn counts(given: usize, taken: usize) -> String {
    let plural = if taken == 1 { "" } else { "s" };
    format!("the statement takes {taken} parameter{plural}, {given} given")
}
