//! Values: what a parameter or a column of a row holds.

use bytes::{Bytes, BytesMut};

use crate::Text;
use crate::writer::{put_blob, put_text, put_u64};

/// The type of a value, as its code on the wire.
///
/// Codes fit into four bits; 14 and 15 can never exist, because rows that begin with them would
/// read as an end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// A signed 64-bit integer.
    Integer = 1,
    /// An IEEE-754 double.
    Float = 2,
    /// A text.
    Text = 3,
    /// Bytes.
    Blob = 4,
    /// Nothing.
    Null = 5,
    /// Seconds since 1970 in UTC.
    UnixTime = 9,
    /// A text that names a time.
    Iso8601 = 10,
    /// False if zero.
    Boolean = 11,
}

impl ValueType {
    /// The type with this code, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Integer,
            2 => Self::Float,
            3 => Self::Text,
            4 => Self::Blob,
            5 => Self::Null,
            9 => Self::UnixTime,
            10 => Self::Iso8601,
            11 => Self::Boolean,
            _ => return None,
        })
    }

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A value that lies elsewhere, ready to be written or just found in a body.
///
/// Texts are bytes here, since that is what SQLite gives and takes, and SQLite does not insist on
/// UTF-8. Where this crate decodes one, it says whether it has been checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// A signed 64-bit integer.
    Integer(i64),
    /// An IEEE-754 double; NaN and infinities pass as they are.
    Float(f64),
    /// A text. In a row it ends at its first NUL; in a request a NUL is an error.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
    /// Nothing.
    Null,
    /// Seconds since 1970 in UTC. Not allowed as a parameter.
    UnixTime(i64),
    /// A text that names a time.
    Iso8601(&'a [u8]),
    /// False if zero. A row carries the integer of the column as it is.
    Boolean(u64),
}

impl<'a> ValueRef<'a> {
    /// The value's type.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Integer(_) => ValueType::Integer,
            Self::Float(_) => ValueType::Float,
            Self::Text(_) => ValueType::Text,
            Self::Blob(_) => ValueType::Blob,
            Self::Null => ValueType::Null,
            Self::UnixTime(_) => ValueType::UnixTime,
            Self::Iso8601(_) => ValueType::Iso8601,
            Self::Boolean(_) => ValueType::Boolean,
        }
    }

    /// What SQLite binds for this parameter: a time is its text, a boolean is 0 or 1.
    pub const fn bound(self) -> Self {
        match self {
            Self::Iso8601(text) => Self::Text(text),
            Self::Boolean(word) => Self::Integer((word != 0) as i64),
            Self::UnixTime(seconds) => Self::Integer(seconds),
            other => other,
        }
    }

    /// Writes the payload; the type goes elsewhere.
    pub(crate) fn put(self, out: &mut BytesMut) {
        match self {
            Self::Integer(number) | Self::UnixTime(number) => put_u64(out, number as u64),
            Self::Float(number) => put_u64(out, number.to_bits()),
            Self::Text(text) | Self::Iso8601(text) => put_text(out, text),
            Self::Blob(blob) => put_blob(out, blob),
            Self::Null => put_u64(out, 0),
            Self::Boolean(word) => put_u64(out, word),
        }
    }
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }
}

impl From<i64> for ValueRef<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for ValueRef<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for ValueRef<'_> {
    fn from(truth: bool) -> Self {
        Self::Boolean(u64::from(truth))
    }
}

impl<'a> From<&'a [u8]> for ValueRef<'a> {
    fn from(blob: &'a [u8]) -> Self {
        Self::Blob(blob)
    }
}

/// A value of its own. Texts and blobs that were decoded keep the memory of their frame alive.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A signed 64-bit integer.
    Integer(i64),
    /// An IEEE-754 double.
    Float(f64),
    /// A text.
    Text(Text),
    /// Bytes.
    Blob(Bytes),
    /// Nothing.
    Null,
    /// Seconds since 1970 in UTC.
    UnixTime(i64),
    /// A text that names a time.
    Iso8601(Text),
    /// False if zero.
    Boolean(u64),
}

impl Value {
    /// The value without its memory.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Float(number) => ValueRef::Float(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
            Self::Null => ValueRef::Null,
            Self::UnixTime(seconds) => ValueRef::UnixTime(*seconds),
            Self::Iso8601(text) => ValueRef::Iso8601(text.as_bytes()),
            Self::Boolean(word) => ValueRef::Boolean(*word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_types_are_inverse_and_no_code_can_look_like_a_marker() {
        for code in 0..=255 {
            if let Some(value_type) = ValueType::from_code(code) {
                assert_eq!(value_type.code(), code);
                assert!(code < 0xe);
            }
        }
        assert_eq!((0..=255).filter_map(ValueType::from_code).count(), 8);
    }

    #[test]
    fn parameters_bind_as_sqlite_knows_them() {
        assert_eq!(ValueRef::Boolean(7).bound(), ValueRef::Integer(1));
        assert_eq!(ValueRef::from(false).bound(), ValueRef::Integer(0));
        assert_eq!(ValueRef::Iso8601(b"2024").bound(), ValueRef::from("2024"));
        assert_eq!(ValueRef::from(1.5).bound(), ValueRef::Float(1.5));
    }
}
