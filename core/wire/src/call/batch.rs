//! Batches of rows: written value by value, and read with every length checked.

use bytes::{Buf, Bytes, BytesMut};

use super::RowBatch;
use crate::error::DecodeError;
use crate::value::ValueRef;

/// The counts at the front, in bytes.
const HEADER_BYTES: usize = 8;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Writes a batch behind what its buffer gave away before.
///
/// ```
/// use bytes::BytesMut;
/// use dqlite_wire::{ValueRef, call::RowBatchEncoder};
///
/// let mut rows = RowBatchEncoder::new(BytesMut::new());
/// rows.begin(2);
/// rows.push(ValueRef::Integer(1));
/// rows.push(ValueRef::from("one"));
/// rows.end_row();
/// let (batch, _) = rows.finish();
/// let read: Vec<_> = batch.rows()?.collect::<Result<_, _>>()?;
/// assert_eq!(read, [[ValueRef::Integer(1), ValueRef::from("one")]]);
/// # Ok::<(), dqlite_wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct RowBatchEncoder {
    out: BytesMut,
    rows: u32,
}

impl RowBatchEncoder {
    /// A batch that is not begun yet. What `out` holds is dropped; its room is used.
    pub fn new(mut out: BytesMut) -> Self {
        out.clear();
        Self { out, rows: 0 }
    }

    /// Begins the batch, of rows with this many values.
    pub fn begin(&mut self, columns: usize) {
        self.out.clear();
        self.rows = 0;
        self.out.extend_from_slice(&0u32.to_le_bytes());
        self.out.extend_from_slice(&(columns as u32).to_le_bytes());
    }

    /// Writes the row's next value. Times and booleans are written as what SQLite keeps of them.
    #[inline]
    pub fn push(&mut self, value: ValueRef<'_>) {
        match value.bound() {
            ValueRef::Integer(number) => self.put_number(INTEGER, number.to_le_bytes()),
            ValueRef::Float(number) => self.put_number(REAL, number.to_le_bytes()),
            ValueRef::Text(text) => self.put_bytes(TEXT, text),
            ValueRef::Blob(blob) => self.put_bytes(BLOB, blob),
            // `bound` leaves no other kind.
            _ => self.out.extend_from_slice(&[NULL]),
        }
    }

    /// As many values were written as there are columns.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// The rows so far.
    pub fn row_count(&self) -> u32 {
        self.rows
    }

    /// The size of the batch so far, in bytes.
    pub fn encoded_bytes(&self) -> usize {
        self.out.len()
    }

    /// The batch, empty if it was not begun, and the room that is left.
    pub fn finish(mut self) -> (RowBatch, BytesMut) {
        if self.out.is_empty() {
            return (RowBatch::default(), self.out);
        }
        self.out[..4].copy_from_slice(&self.rows.to_le_bytes());
        (RowBatch(self.out.split().freeze()), self.out)
    }

    fn put_number(&mut self, tag: u8, number: [u8; 8]) {
        let mut value = [tag; 9];
        value[1..].copy_from_slice(&number);
        self.out.extend_from_slice(&value);
    }

    fn put_bytes(&mut self, tag: u8, bytes: &[u8]) {
        // SQLite's values are shorter than 2^31 bytes.
        let mut head = [tag; 5];
        head[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.out.extend_from_slice(&head);
        self.out.extend_from_slice(bytes);
    }
}

impl RowBatch {
    /// How many rows the batch says it has, but no more than fit into it.
    pub fn row_count(&self) -> u32 {
        let (rows, columns) = self.counts();
        let values = self.0.len().saturating_sub(HEADER_BYTES);
        // A value takes a byte at least.
        let rows_max = values.checked_div(columns as usize).unwrap_or(0);
        rows.min(u32::try_from(rows_max).unwrap_or(u32::MAX))
    }

    /// How many values the batch says each row has.
    pub fn column_count(&self) -> u32 {
        self.counts().1
    }

    fn counts(&self) -> (u32, u32) {
        let mut header = &self.0[..];
        match (header.try_get_u32_le(), header.try_get_u32_le()) {
            (Ok(rows), Ok(columns)) => (rows, columns),
            _ => (0, 0),
        }
    }

    /// Reads the rows. Their texts and blobs lie in the batch.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the counts do not fit the bytes. Each row may fail too, and
    /// is the last then.
    pub fn rows(&self) -> Result<BatchedRows<'_>, DecodeError> {
        let (rows, columns) = self.counts();
        let values = self.0.get(HEADER_BYTES..).unwrap_or_default();
        let header_is_whole = self.0.is_empty() || self.0.len() >= HEADER_BYTES;
        if !header_is_whole || self.row_count() != rows {
            return Err(DecodeError::Truncated);
        }
        Ok(BatchedRows { values, rows, columns: columns as usize })
    }

    /// A text or blob that [`rows`](Self::rows) found, on its own: it shares the batch's memory.
    pub fn slice(&self, found: &[u8]) -> Bytes {
        if found.is_empty() { Bytes::new() } else { self.0.slice_ref(found) }
    }
}

/// The rows of a batch.
#[derive(Clone, Debug)]
pub struct BatchedRows<'a> {
    values: &'a [u8],
    /// Rows that were not read yet.
    rows: u32,
    columns: usize,
}

impl<'a> BatchedRows<'a> {
    fn row(&mut self) -> Result<Vec<ValueRef<'a>>, DecodeError> {
        // The counts were checked against the bytes: this takes no more memory than they do, by a
        // constant factor.
        let mut row = Vec::with_capacity(self.columns);
        for _ in 0..self.columns {
            row.push(self.value()?);
        }
        if self.rows == 1 && !self.values.is_empty() {
            return Err(DecodeError::BytesBehind { bytes: self.values.len() });
        }
        Ok(row)
    }

    fn value(&mut self) -> Result<ValueRef<'a>, DecodeError> {
        let truncated = |_| DecodeError::Truncated;
        let values = &mut self.values;
        Ok(match values.try_get_u8().map_err(truncated)? {
            NULL => ValueRef::Null,
            INTEGER => ValueRef::Integer(values.try_get_i64_le().map_err(truncated)?),
            REAL => ValueRef::Float(values.try_get_f64_le().map_err(truncated)?),
            tag @ (TEXT | BLOB) => {
                let length = values.try_get_u32_le().map_err(truncated)? as usize;
                let (bytes, rest) =
                    values.split_at_checked(length).ok_or(DecodeError::Truncated)?;
                *values = rest;
                if tag == TEXT { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) }
            }
            code => return Err(DecodeError::UnknownValueType { code }),
        })
    }
}

impl<'a> Iterator for BatchedRows<'a> {
    type Item = Result<Vec<ValueRef<'a>>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows == 0 {
            return None;
        }
        let row = self.row();
        self.rows = if row.is_ok() { self.rows - 1 } else { 0 };
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.rows as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(rows: &[&[ValueRef<'_>]]) -> RowBatch {
        let mut encoder = RowBatchEncoder::new(BytesMut::new());
        encoder.begin(rows.first().map_or(0, |row| row.len()));
        for row in rows {
            row.iter().for_each(|value| encoder.push(*value));
            encoder.end_row();
        }
        encoder.finish().0
    }

    fn decoded(bytes: &[u8]) -> Result<usize, DecodeError> {
        let batch = RowBatch(Bytes::copy_from_slice(bytes));
        let rows: Vec<_> = batch.rows()?.collect::<Result<_, _>>()?;
        Ok(rows.len())
    }

    #[test]
    fn the_bytes_are_those_of_the_description() {
        let batch = encoded(&[
            &[ValueRef::Integer(1), ValueRef::from("dq"), ValueRef::Null],
            &[ValueRef::Integer(-2), ValueRef::Float(0.5), ValueRef::Blob(b"\0\xff")],
        ]);
        let expected: &[&[u8]] = &[
            b"\x02\0\0\0\x03\0\0\0",
            b"\x01\x01\0\0\0\0\0\0\0",
            b"\x03\x02\0\0\0dq",
            b"\0",
            b"\x01\xfe\xff\xff\xff\xff\xff\xff\xff",
            b"\x02\0\0\0\0\0\0\xe0\x3f",
            b"\x04\x02\0\0\0\0\xff",
        ];
        assert_eq!(batch.0, expected.concat());
        assert_eq!((batch.row_count(), batch.column_count()), (2, 3));
    }

    #[test]
    fn what_is_written_is_read() {
        let wild = [
            ValueRef::Text(b"\xff\0not text"),
            ValueRef::Blob(b""),
            ValueRef::Text(b""),
            ValueRef::Integer(i64::MIN),
            ValueRef::Float(f64::NEG_INFINITY),
        ];
        let batch = encoded(&[&wild, &wild]);
        let rows: Vec<_> = batch.rows().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [wild, wild]);
        let ValueRef::Text(text) = rows[0][0] else { panic!("{rows:?}") };
        assert_eq!(batch.slice(text).as_ptr(), text.as_ptr(), "no copy");
        assert_eq!(encoded(&[]).rows().unwrap().count(), 0);
        assert_eq!(RowBatch::default().rows().unwrap().count(), 0);
    }

    #[test]
    fn a_buffer_serves_one_batch_after_the_other() {
        let mut encoder = RowBatchEncoder::new(BytesMut::with_capacity(1024));
        let mut batches = Vec::new();
        for number in 0..10 {
            encoder.begin(1);
            encoder.push(ValueRef::Integer(number));
            encoder.end_row();
            assert_eq!((encoder.row_count(), encoder.encoded_bytes()), (1, 17));
            let (batch, rest) = encoder.finish();
            batches.push(batch);
            encoder = RowBatchEncoder::new(rest);
        }
        for (number, batch) in (0..).zip(&batches) {
            let rows: Vec<_> = batch.rows().unwrap().collect::<Result<_, _>>().unwrap();
            assert_eq!(rows, [[ValueRef::Integer(number)]]);
        }
        assert_eq!(encoder.finish().0, RowBatch::default(), "nothing was begun");
    }

    #[test]
    fn batches_that_lie_are_refused() {
        let row = [ValueRef::Integer(1), ValueRef::from("text")];
        let whole = encoded(&[&row, &row]).0;
        assert_eq!(decoded(&whole), Ok(2));
        for length in 1..whole.len() {
            assert_eq!(decoded(&whole[..length]), Err(DecodeError::Truncated), "{length}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert_eq!(decoded(&longer), Err(DecodeError::BytesBehind { bytes: 1 }));
        let promises = [&[0xff; 8][..], &whole[8..]].concat();
        assert_eq!(decoded(&promises), Err(DecodeError::Truncated));
        let rows_of_nothing = b"\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(decoded(rows_of_nothing), Err(DecodeError::Truncated));
        let unknown = decoded(b"\x01\0\0\0\x01\0\0\0\x05");
        assert_eq!(unknown, Err(DecodeError::UnknownValueType { code: 5 }));
        let long = decoded(b"\x01\0\0\0\x01\0\0\0\x03\xff\xff\xff\xffabc");
        assert_eq!(long, Err(DecodeError::Truncated));
    }
}
