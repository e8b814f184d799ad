//! One row of a result.

use std::sync::Arc;

use dqlite_wire::Value;

use crate::error::{Error, ErrorKind};
use crate::value::FromValue;

/// A row. Its texts and blobs share the memory of the batch it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// What names a column of a row: its place, from 0, or its name.
pub trait ColumnIndex {
    /// The column's place; `None` if there is no such column.
    fn index_in(&self, columns: &[String]) -> Option<usize>;
    /// The column as an error names it.
    fn describe(&self) -> String;
}

impl ColumnIndex for usize {
    fn index_in(&self, columns: &[String]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }

    fn describe(&self) -> String {
        format!("column {self}")
    }
}

/// The first column of this name, else the first that differs in case only.
impl ColumnIndex for &str {
    fn index_in(&self, columns: &[String]) -> Option<usize> {
        columns
            .iter()
            .position(|column| column == self)
            .or_else(|| columns.iter().position(|column| column.eq_ignore_ascii_case(self)))
    }

    fn describe(&self) -> String {
        format!("column {self:?}")
    }
}

impl Row {
    pub(crate) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        debug_assert_eq!(columns.len(), values.len());
        Self { columns, values }
    }

    /// The value of a column as a type of Rust's.
    ///
    /// # Errors
    /// [`ErrorKind::Data`]: there is no such column, or its value does not fit.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T, Error> {
        let index = column.index_in(&self.columns).ok_or_else(|| {
            Error::new(ErrorKind::Data, format!("the row has no {}", column.describe()))
        })?;
        T::from_value(&self.values[index]).map_err(|error| {
            Error::new(ErrorKind::Data, format!("{}: {}", column.describe(), error.message))
        })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_or_counted() {
        let columns = ["id".to_owned(), "ID".to_owned(), "name".to_owned()];
        let values = vec![Value::Integer(1), Value::Integer(2), Value::Null];
        let row = Row::new(Arc::new(columns), values);
        assert_eq!(row.get::<i64>(1), Ok(2));
        assert_eq!((row.get::<i64>("ID"), row.get::<i64>("Id")), (Ok(2), Ok(1)));
        assert_eq!(row.get::<Option<String>>("NAME"), Ok(None));
        let error = row.get::<i64>("price").unwrap_err();
        assert!(error.message.contains("price"), "{error}");
        let error = row.get::<i64>("name").unwrap_err();
        assert_eq!(error.message, "column \"name\": NULL does not fit an i64");
    }
}
