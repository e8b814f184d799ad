//! The parameters of a statement: a tuple of anything, or many of one type.

use dqlite_wire::Value;

use crate::value::IntoValue;

/// Values for a statement's placeholders, by position: `()`, a tuple, an array, a slice or a
/// vector. More than 255 are possible.
pub trait IntoParams {
    /// The values in order.
    fn into_params(self) -> Vec<Value>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: IntoValue> IntoParams for Vec<T> {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(T::into_value).collect()
    }
}

impl<T: IntoValue, const N: usize> IntoParams for [T; N] {
    fn into_params(self) -> Vec<Value> {
        self.into_iter().map(T::into_value).collect()
    }
}

impl<T: IntoValue + Clone> IntoParams for &[T] {
    fn into_params(self) -> Vec<Value> {
        self.iter().cloned().map(T::into_value).collect()
    }
}

impl<T: IntoValue + Clone, const N: usize> IntoParams for &[T; N] {
    fn into_params(self) -> Vec<Value> {
        self.as_slice().into_params()
    }
}

impl<T: IntoValue + Clone> IntoParams for &Vec<T> {
    fn into_params(self) -> Vec<Value> {
        self.as_slice().into_params()
    }
}

macro_rules! tuples_into_params {
    ($(($($name:ident)+))*) => {$(
        #[expect(non_snake_case, reason = "the type's name is the value's")]
        impl<$($name: IntoValue),+> IntoParams for ($($name,)+) {
            fn into_params(self) -> Vec<Value> {
                let ($($name,)+) = self;
                vec![$($name.into_value()),+]
            }
        }
    )*};
}

tuples_into_params! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M)
    (A B C D E F G H I J K L M N)
    (A B C D E F G H I J K L M N O)
    (A B C D E F G H I J K L M N O P)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_and_sequences_are_parameters() {
        let mixed = (1, "a", None::<f64>, vec![7_u8]).into_params();
        let texts = [Value::Integer(1), Value::Text("a".into()), Value::Null];
        assert_eq!(mixed[..3], texts);
        assert_eq!(["a", "b"].into_params().len(), 2);
        assert_eq!(mixed.as_slice().into_params(), mixed);
        assert_eq!(().into_params(), []);
    }
}
