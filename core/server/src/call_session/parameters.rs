//! A call's parameters as the engine binds them.

use dqlite_engine::{CallParameters, ValueRef};
use dqlite_wire::call::ParameterSet;

/// Sets of parameters.
#[derive(Debug)]
pub(super) struct Sets(pub Vec<ParameterSet>);

impl CallParameters for Sets {
    fn set_count(&self) -> usize {
        self.0.len()
    }

    fn is_named(&self, set: usize) -> bool {
        matches!(self.0.get(set), Some(ParameterSet::Named(_)))
    }

    fn value_count(&self, set: usize) -> usize {
        match self.0.get(set) {
            Some(ParameterSet::Positional(values)) => values.len(),
            Some(ParameterSet::Named(values)) => values.len(),
            None => 0,
        }
    }

    fn value(&self, set: usize, index: usize) -> ValueRef<'_> {
        let value = match self.0.get(set) {
            Some(ParameterSet::Positional(values)) => values.get(index),
            Some(ParameterSet::Named(values)) => values.get(index).map(|(_, value)| value),
            None => None,
        };
        value.map_or(ValueRef::Null, |value| match value.as_ref().bound() {
            dqlite_wire::ValueRef::Integer(number) => ValueRef::Integer(number),
            dqlite_wire::ValueRef::Float(number) => ValueRef::Real(number),
            dqlite_wire::ValueRef::Text(text) => ValueRef::Text(text),
            dqlite_wire::ValueRef::Blob(blob) => ValueRef::Blob(blob),
            // `bound` leaves no other kind.
            _ => ValueRef::Null,
        })
    }

    fn name(&self, set: usize, index: usize) -> &str {
        match self.0.get(set) {
            Some(ParameterSet::Named(values)) => values.get(index).map_or("", |(name, _)| name),
            _ => "",
        }
    }
}
