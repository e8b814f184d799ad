//! The parameters of a statement, from what Rust programs have at hand.

use dqlite_client::IntoValue;
use dqlite_wire::Value;
use dqlite_wire::call::ParameterSet;

/// Values for a statement's placeholders: `()`, a tuple, an array, a slice or a vector by position;
/// `&[("name", value)]` by name.
pub trait IntoParameters {
    /// The values as they are sent.
    fn into_parameters(self) -> ParameterSet;
}

impl IntoParameters for ParameterSet {
    fn into_parameters(self) -> ParameterSet {
        self
    }
}

impl IntoParameters for () {
    fn into_parameters(self) -> ParameterSet {
        ParameterSet::default()
    }
}

impl<T: IntoValue> IntoParameters for Vec<T> {
    fn into_parameters(self) -> ParameterSet {
        ParameterSet::Positional(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: IntoValue, const N: usize> IntoParameters for [T; N] {
    fn into_parameters(self) -> ParameterSet {
        ParameterSet::Positional(self.into_iter().map(T::into_value).collect())
    }
}

/// By name, without the `:`, `@` or `$`.
impl<T: IntoValue + Clone> IntoParameters for &[(&str, T)] {
    fn into_parameters(self) -> ParameterSet {
        let named = |(name, value): &(&str, T)| ((*name).into(), value.clone().into_value());
        ParameterSet::Named(self.iter().map(named).collect())
    }
}

impl<T: IntoValue + Clone, const N: usize> IntoParameters for &[(&str, T); N] {
    fn into_parameters(self) -> ParameterSet {
        self.as_slice().into_parameters()
    }
}

macro_rules! tuples_into_parameters {
    ($(($($name:ident)+))*) => {$(
        #[expect(non_snake_case, reason = "the type's name is the value's")]
        impl<$($name: IntoValue),+> IntoParameters for ($($name,)+) {
            fn into_parameters(self) -> ParameterSet {
                let ($($name,)+) = self;
                ParameterSet::Positional(vec![$($name.into_value()),+])
            }
        }
    )*};
}

tuples_into_parameters! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}

/// NaN is no value of SQLite's: it would be stored as NULL.
pub(crate) fn unfit(sets: &[ParameterSet]) -> Option<String> {
    let is_nan = |value: &Value| matches!(value, Value::Float(number) if number.is_nan());
    let reason = "NaN cannot be stored: SQLite would make it NULL";
    sets.iter().find_map(|set| match set {
        ParameterSet::Positional(values) => {
            values.iter().position(is_nan).map(|index| format!("parameter {}: {reason}", index + 1))
        }
        ParameterSet::Named(values) => values
            .iter()
            .find(|(_, value)| is_nan(value))
            .map(|(name, _)| format!("parameter {name:?}: {reason}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_places_or_names() {
        let positional = (1, "a", None::<i64>).into_parameters();
        let values = vec![Value::Integer(1), Value::Text("a".into()), Value::Null];
        assert_eq!(positional, ParameterSet::Positional(values));
        let named = (&[("x", 2), ("y", 3)]).into_parameters();
        let values = vec![("x".into(), Value::Integer(2)), ("y".into(), Value::Integer(3))];
        assert_eq!(named, ParameterSet::Named(values));
    }

    #[test]
    fn nan_is_told_by_place_or_name() {
        assert_eq!(unfit(&[(1.0, 2).into_parameters()]), None);
        let found = unfit(&[(1.0, f64::NAN).into_parameters()]).unwrap();
        assert!(found.starts_with("parameter 2"), "{found}");
        let found = unfit(&[(&[("x", f64::NAN)]).into_parameters()]).unwrap();
        assert!(found.starts_with("parameter \"x\""), "{found}");
    }
}
