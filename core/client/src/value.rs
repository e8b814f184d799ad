//! Between Rust's types and the values of parameters and rows.

use bytes::Bytes;
use dqlite_wire::{Text, Value};

use crate::error::{Error, ErrorKind};

/// A type whose values can be parameters.
pub trait IntoValue {
    /// The value as it is sent.
    fn into_value(self) -> Value;
}

/// A type that a column of a row can be read as.
pub trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`ErrorKind::Data`]: the value does not fit the type. Nothing is rounded or cut.
    fn from_value(value: &Value) -> Result<Self, Error>;
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl IntoValue for &Value {
    fn into_value(self) -> Value {
        self.clone()
    }
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Null
    }
}

impl IntoValue for f64 {
    fn into_value(self) -> Value {
        Value::Float(self)
    }
}

impl IntoValue for f32 {
    fn into_value(self) -> Value {
        Value::Float(self.into())
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Boolean(self.into())
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::Text(self.into())
    }
}

impl IntoValue for &String {
    fn into_value(self) -> Value {
        self.as_str().into_value()
    }
}

impl IntoValue for Text {
    fn into_value(self) -> Value {
        Value::Text(self)
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::Blob(Bytes::copy_from_slice(self))
    }
}

impl<const N: usize> IntoValue for &[u8; N] {
    fn into_value(self) -> Value {
        self.as_slice().into_value()
    }
}

impl IntoValue for Vec<u8> {
    fn into_value(self) -> Value {
        Value::Blob(self.into())
    }
}

impl IntoValue for &Vec<u8> {
    fn into_value(self) -> Value {
        self.as_slice().into_value()
    }
}

impl IntoValue for Bytes {
    fn into_value(self) -> Value {
        Value::Blob(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

macro_rules! integers_into_values {
    ($($integer:ty),*) => {$(
        impl IntoValue for $integer {
            fn into_value(self) -> Value {
                Value::Integer(self.into())
            }
        }
    )*};
}

integers_into_values!(i8, i16, i32, i64, u8, u16, u32);

fn misfit(value: &Value, wanted: &str) -> Error {
    let found = match value {
        Value::Integer(number) => format!("the integer {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Text(_) => "a text".to_owned(),
        Value::Blob(_) => "a blob".to_owned(),
        Value::Null => "NULL".to_owned(),
        Value::UnixTime(seconds) => format!("the time {seconds}"),
        Value::Iso8601(_) => "a time".to_owned(),
        Value::Boolean(number) => format!("the truth value {number}"),
    };
    Error::new(ErrorKind::Data, format!("{found} does not fit {wanted}"))
}

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self, Error> {
        Ok(value.clone())
    }
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Integer(number) | Value::UnixTime(number) => Ok(*number),
            // A row carries the column's integer, whatever its sign.
            Value::Boolean(number) => Ok(number.cast_signed()),
            other => Err(misfit(other, "an i64")),
        }
    }
}

macro_rules! integers_from_values {
    ($($integer:ty),*) => {$(
        impl FromValue for $integer {
            fn from_value(value: &Value) -> Result<Self, Error> {
                i64::from_value(value)?
                    .try_into()
                    .map_err(|_| misfit(value, concat!("the range of ", stringify!($integer))))
            }
        }
    )*};
}

integers_from_values!(i8, i16, i32, u8, u16, u32, u64, usize);

impl FromValue for f64 {
    fn from_value(value: &Value) -> Result<Self, Error> {
        const WHOLE_MAX: u64 = 1 << f64::MANTISSA_DIGITS;
        match value {
            Value::Float(number) => Ok(*number),
            Value::Integer(number) if number.unsigned_abs() <= WHOLE_MAX => Ok(*number as f64),
            other => Err(misfit(other, "an f64")),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Boolean(number) => Ok(*number != 0),
            Value::Integer(number @ (0 | 1)) => Ok(*number == 1),
            other => Err(misfit(other, "a bool")),
        }
    }
}

impl FromValue for Text {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Text(text) | Value::Iso8601(text) => Ok(text.clone()),
            other => Err(misfit(other, "a text")),
        }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, Error> {
        Text::from_value(value).map(|text| text.to_string())
    }
}

impl FromValue for Bytes {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Blob(blob) => Ok(blob.clone()),
            other => Err(misfit(other, "a blob")),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Result<Self, Error> {
        Bytes::from_value(value).map(Into::into)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, Error> {
        if *value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_what_they_were() {
        assert_eq!(i64::from_value(&i64::MIN.into_value()), Ok(i64::MIN));
        assert_eq!(f64::from_value(&1.5.into_value()), Ok(1.5));
        assert_eq!(String::from_value(&"é".into_value()).as_deref(), Ok("é"));
        assert_eq!(Vec::from_value(&vec![0_u8, 1].into_value()), Ok(vec![0, 1]));
        assert_eq!(bool::from_value(&true.into_value()), Ok(true));
        assert_eq!(Option::<i64>::from_value(&None::<i64>.into_value()), Ok(None));
        assert_eq!(Option::<i64>::from_value(&Some(3).into_value()), Ok(Some(3)));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(u8::from_value(&Value::Integer(256)).is_err());
        assert!(u64::from_value(&Value::Integer(-1)).is_err());
        assert!(f64::from_value(&Value::Integer((1 << 53) + 1)).is_err());
        assert!(bool::from_value(&Value::Integer(2)).is_err());
        assert!(i64::from_value(&Value::Null).is_err());
        assert!(String::from_value(&Value::Integer(1)).is_err());
    }
}
