//! One row of a result.

use std::sync::Arc;

use bytes::Bytes;
use dqlite_client::FromValue;
use dqlite_wire::call::{Column, RowBatch};
use dqlite_wire::{Text, Value, ValueRef};

use crate::error::Error;
use crate::options::Convert;

/// A row. Its texts and blobs share the memory of the batch it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[Column]>,
    values: Vec<Value>,
}

/// What names a column of a row: its place, from 0, or its name.
pub trait ColumnIndex {
    /// The column's place; `None` if there is no such column.
    fn index_in(&self, columns: &[Column]) -> Option<usize>;
    /// The column as an error names it.
    fn describe(&self) -> String;
}

impl ColumnIndex for usize {
    fn index_in(&self, columns: &[Column]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }

    fn describe(&self) -> String {
        format!("column {self}")
    }
}

/// The first column of this name, else the first that differs in case only.
impl ColumnIndex for &str {
    fn index_in(&self, columns: &[Column]) -> Option<usize> {
        let equal = |column: &Column| &*column.name == *self;
        let similar = |column: &Column| column.name.eq_ignore_ascii_case(self);
        columns.iter().position(equal).or_else(|| columns.iter().position(similar))
    }

    fn describe(&self) -> String {
        format!("column {self:?}")
    }
}

impl Row {
    /// The rows of a batch.
    pub(crate) fn decode(
        columns: &Arc<[Column]>,
        batch: &RowBatch,
        convert: Convert,
    ) -> Result<Vec<Self>, Error> {
        let garbled = |reason: String| Error::new("protocol.garbled", reason);
        let kinds = kinds(columns, convert);
        let mut decoded = Vec::with_capacity(batch.row_count() as usize);
        for row in batch.rows().map_err(|error| garbled(error.to_string()))? {
            let row = row.map_err(|error| garbled(error.to_string()))?;
            if row.len() != columns.len() {
                return Err(garbled("a row has another number of columns".to_owned()));
            }
            let values = row
                .into_iter()
                .zip(&kinds)
                .map(|(value, kind)| Ok(kind.convert(owned(&batch.0, value)?)));
            let values = values.collect::<Result<_, Error>>()?;
            decoded.push(Self { columns: columns.clone(), values });
        }
        Ok(decoded)
    }

    /// The value of a column as a type of Rust's.
    ///
    /// # Errors
    /// `DataError`: there is no such column, or its value does not fit.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T, Error> {
        let index = column.index_in(&self.columns).ok_or_else(|| {
            Error::new("value.range", format!("the row has no {}", column.describe()))
        })?;
        T::from_value(&self.values[index]).map_err(|error| {
            Error::new("value.convert", format!("{}: {}", column.describe(), error.message))
        })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The values in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, for keeping.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}

/// What a column's declared type makes of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Time,
    Boolean,
}

impl Kind {
    fn convert(self, value: Value) -> Value {
        match (self, value) {
            (Self::Time, Value::Text(text)) => Value::Iso8601(text),
            (Self::Time, Value::Integer(seconds)) => Value::UnixTime(seconds),
            (Self::Boolean, Value::Integer(number)) => Value::Boolean(u64::from(number != 0)),
            (_, value) => value,
        }
    }
}

fn kinds(columns: &[Column], convert: Convert) -> Vec<Kind> {
    let kind = |column: &Column| match column
        .declared_type
        .as_deref()
        .filter(|_| convert == Convert::Decltype)
    {
        Some(name) if name.eq_ignore_ascii_case("BOOLEAN") => Kind::Boolean,
        Some(name)
            if ["DATE", "DATETIME", "TIMESTAMP"].iter().any(|it| name.eq_ignore_ascii_case(it)) =>
        {
            Kind::Time
        }
        _ => Kind::Plain,
    };
    columns.iter().map(kind).collect()
}

/// The value, sharing the batch's memory.
fn owned(batch: &Bytes, value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Float(number) => Value::Float(number),
        ValueRef::Text(text) => {
            let text = Text::try_from(batch.slice_ref(text)).map_err(|_| {
                let reason =
                    "a text in the database is not UTF-8; read it as a BLOB: CAST(x AS BLOB)";
                Error::new("value.text", reason)
            })?;
            Value::Text(text)
        }
        ValueRef::Blob(blob) => Value::Blob(batch.slice_ref(blob)),
        _ => Value::Null,
    })
}
