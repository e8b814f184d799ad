//! Reads one frame of rows.

use bytes::Bytes;

use super::{RowsEnd, row_header_bytes};
use crate::Text;
use crate::error::DecodeError;
use crate::limits;
use crate::reader::Reader;
use crate::value::{Value, ValueType};

/// One frame of rows, being read. It takes whatever servers send: padding need not be zero.
///
/// ```
/// # use dqlite_wire::{DecodeError, RowsDecoder, RowsEnd};
/// # fn read(body: bytes::Bytes) -> Result<(), DecodeError> {
/// let mut rows = RowsDecoder::new(body)?;
/// let mut values = Vec::new();
/// while rows.next_row(&mut values)? {
///     println!("{:?} {values:?}", rows.columns());
/// }
/// let another_frame_follows = rows.end() == Some(RowsEnd::Part);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RowsDecoder {
    body: Bytes,
    position: usize,
    columns: Vec<Text>,
    end: Option<RowsEnd>,
    empty_times_are_null: bool,
}

impl RowsDecoder {
    /// Begins with the body of a ROWS response and reads the columns.
    ///
    /// C servers send a NULL in a column of times as an empty time, so an empty time is read as a
    /// NULL; see [`RowsDecoder::keep_empty_times`].
    ///
    /// # Errors
    /// Those of a text, and [`DecodeError::TooManyColumns`].
    pub fn new(body: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&body);
        let announced = reader.u64()?;
        let count = match usize::try_from(announced) {
            Ok(count) if count <= limits::COLUMNS_MAX => count,
            _ => return Err(DecodeError::TooManyColumns { columns: announced }),
        };
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(reader.text()?);
        }
        let position = reader.position();
        Ok(Self { body, position, columns, end: None, empty_times_are_null: true })
    }

    /// Reads empty times as such: for servers that are known to send a NULL as a NULL.
    #[must_use]
    pub fn keep_empty_times(mut self) -> Self {
        self.empty_times_are_null = false;
        self
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[Text] {
        &self.columns
    }

    /// How the frame ends, once [`RowsDecoder::next_row`] has found that it does.
    pub fn end(&self) -> Option<RowsEnd> {
        self.end
    }

    /// Replaces `values` by those of the next row. False: there is none, and `values` is empty.
    /// Texts and blobs share the memory of the frame and keep it alive.
    ///
    /// # Errors
    /// The body is not rows. Another call gives the same error.
    pub fn next_row(&mut self, values: &mut Vec<Value>) -> Result<bool, DecodeError> {
        values.clear();
        if self.end.is_some() {
            return Ok(false);
        }
        let mut reader = Reader::at(&self.body, self.position);
        let word = reader.clone().u64()?;
        self.end = RowsEnd::from_marker(word);
        if self.end.is_some() {
            return Ok(false);
        }
        if self.columns.is_empty() {
            return Err(DecodeError::RowsWithoutColumns);
        }
        let header = reader.take(row_header_bytes(self.columns.len()))?;
        values.reserve(self.columns.len());
        for code in header.iter().flat_map(|pair| [pair & 0xf, pair >> 4]).take(self.columns.len())
        {
            let value_type =
                ValueType::from_code(code).ok_or(DecodeError::UnknownValueType { code })?;
            values.push(match reader.value(value_type)? {
                Value::Iso8601(time) if time.is_empty() && self.empty_times_are_null => Value::Null,
                value => value,
            });
        }
        self.position = reader.position();
        Ok(true)
    }
}
