//! How a column's declared type changes the type its values are sent as.

use crate::value::ValueRef;

/// What a declared type says about a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnClass {
    /// Values go as SQLite stores them.
    #[default]
    Plain,
    /// Declared `DATETIME`, `DATE` or `TIMESTAMP`.
    Time,
    /// Declared `BOOLEAN`.
    Boolean,
}

impl ColumnClass {
    /// The class of a declared type, which only a column that is directly one of a table's has.
    /// The whole word counts, in any case: `DATETIME(6)` and `BOOL` are plain.
    pub fn of(declared: Option<&str>) -> Self {
        let Some(declared) = declared else {
            return Self::Plain;
        };
        let is = |name: &str| declared.eq_ignore_ascii_case(name);
        if is("DATETIME") || is("DATE") || is("TIMESTAMP") {
            Self::Time
        } else if is("BOOLEAN") {
            Self::Boolean
        } else {
            Self::Plain
        }
    }

    /// The value as it is sent for a column of this class. A NULL stays one, and values that do not
    /// suit the class go plainly.
    pub const fn encode_as(self, value: ValueRef<'_>) -> ValueRef<'_> {
        match (self, value) {
            (Self::Time, ValueRef::Integer(seconds)) => ValueRef::UnixTime(seconds),
            (Self::Time, ValueRef::Text(text)) => ValueRef::Iso8601(text),
            (Self::Boolean, ValueRef::Integer(number)) => ValueRef::Boolean(number as u64),
            (_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_whole_words_count() {
        for declared in ["DATETIME", "date", "TimeStamp"] {
            assert_eq!(ColumnClass::of(Some(declared)), ColumnClass::Time);
        }
        assert_eq!(ColumnClass::of(Some("boolean")), ColumnClass::Boolean);
        for declared in ["BOOL", "TIME", "DATETIME(6)", "TIMESTAMP WITH TIME ZONE", " DATE", ""] {
            assert_eq!(ColumnClass::of(Some(declared)), ColumnClass::Plain);
        }
        assert_eq!(ColumnClass::of(None), ColumnClass::Plain);
    }

    #[test]
    fn values_are_sent_by_class_and_odd_ones_plainly() {
        use ColumnClass::{Boolean, Plain, Time};
        use ValueRef::{Blob, Float, Integer, Iso8601, Null, Text, UnixTime};
        assert_eq!(Time.encode_as(Integer(-1)), UnixTime(-1));
        assert_eq!(Time.encode_as(Text(b"2024-01-02")), Iso8601(b"2024-01-02"));
        assert_eq!(Boolean.encode_as(Integer(2)), ValueRef::Boolean(2));
        assert_eq!(Boolean.encode_as(Integer(-1)), ValueRef::Boolean(u64::MAX));
        for odd in [Float(1.5), Blob(b"x"), Null] {
            assert_eq!(Time.encode_as(odd), odd);
            assert_eq!(Boolean.encode_as(odd), odd);
        }
        assert_eq!(Boolean.encode_as(Text(b"yes")), Text(b"yes"));
        for any in [Integer(1), Float(1.5), Text(b"x"), Blob(b"x"), Null] {
            assert_eq!(Plain.encode_as(any), any);
        }
    }
}
