//! Writes one frame of rows.

use bytes::BytesMut;

use super::{RowsEnd, row_header_bytes};
use crate::error::EncodeError;
use crate::frame::{begin_frame, finish_frame};
use crate::limits;
use crate::response::ResponseType;
use crate::value::ValueRef;
use crate::writer::{put_text, put_u64, put_zeros};

/// One frame of rows, being written straight into a buffer behind what that holds.
///
/// Dropped before [`RowsEncoder::finish`], it takes back all it has written.
///
/// ```
/// use bytes::BytesMut;
/// use dqlite_wire::{limits, RowsEncoder, RowsEnd, ValueRef};
///
/// let mut out = BytesMut::new();
/// let mut rows = RowsEncoder::begin(&mut out, &["n"])?;
/// let mut numbers = 0..3;
/// let mut end = RowsEnd::Part;
/// while !rows.is_full(limits::ROWS_FRAME_BYTES) {
///     let Some(number) = numbers.next() else {
///         end = RowsEnd::Done;
///         break;
///     };
///     rows.begin_row()?;
///     rows.push(ValueRef::Integer(number))?;
/// }
/// rows.finish(end)?;
/// # Ok::<(), dqlite_wire::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct RowsEncoder<'a> {
    out: &'a mut BytesMut,
    start: usize,
    columns: usize,
    rows: usize,
    /// Where the header of the current row is.
    row_start: usize,
    /// How many values the current row has.
    pushed: usize,
    finished: bool,
}

impl<'a> RowsEncoder<'a> {
    /// Begins a frame with these columns, whose names SQLite does not insist to be UTF-8.
    ///
    /// # Errors
    /// [`EncodeError::TooManyColumns`].
    pub fn begin(out: &'a mut BytesMut, columns: &[impl AsRef<[u8]>]) -> Result<Self, EncodeError> {
        if columns.len() > limits::COLUMNS_MAX {
            return Err(EncodeError::TooManyColumns { columns: columns.len() });
        }
        let start = begin_frame(out);
        put_u64(out, columns.len() as u64);
        for name in columns {
            put_text(out, name.as_ref());
        }
        let (columns, row_start) = (columns.len(), out.len());
        Ok(Self { out, start, columns, rows: 0, row_start, pushed: columns, finished: false })
    }

    /// Begins a row. As many values as there are columns must be pushed.
    ///
    /// # Errors
    /// [`EncodeError::RowShape`]: the row before is not whole, or the result has no columns.
    pub fn begin_row(&mut self) -> Result<(), EncodeError> {
        self.check_row_is_whole()?;
        if self.columns == 0 {
            return Err(EncodeError::RowShape { columns: 0 });
        }
        self.row_start = self.out.len();
        put_zeros(self.out, row_header_bytes(self.columns));
        self.pushed = 0;
        self.rows += 1;
        Ok(())
    }

    /// Writes the row's next value. A text ends at its first NUL.
    ///
    /// # Errors
    /// [`EncodeError::RowShape`]: the row is whole already.
    #[inline]
    pub fn push(&mut self, value: ValueRef<'_>) -> Result<(), EncodeError> {
        if self.pushed >= self.columns {
            return Err(EncodeError::RowShape { columns: self.columns });
        }
        let code = value.value_type().code();
        self.out[self.row_start + self.pushed / 2] |= code << (4 * (self.pushed % 2)); // (2)
        self.pushed += 1;
        value.put(self.out);
        Ok(())
    }

    /// The size of the frame so far, in bytes, without its marker.
    pub fn frame_bytes(&self) -> usize {
        self.out.len() - self.start
    }

    /// The rows begun so far.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// Whether the frame has grown to its target and holds a row, so that a PART may end it.
    pub fn is_full(&self, frame_bytes_target: usize) -> bool {
        self.rows > 0 && self.frame_bytes() >= frame_bytes_target
    }

    /// Ends the frame.
    ///
    /// # Errors
    /// [`EncodeError::RowShape`], [`EncodeError::PartWithoutRows`], [`EncodeError::BodyTooLarge`]:
    /// the buffer is as it was before [`RowsEncoder::begin`].
    pub fn finish(mut self, end: RowsEnd) -> Result<(), EncodeError> {
        self.check_row_is_whole()?;
        if end == RowsEnd::Part && self.rows == 0 {
            return Err(EncodeError::PartWithoutRows); // (1)
        }
        put_u64(self.out, end.marker());
        finish_frame(self.out, self.start, ResponseType::Rows.number(), 0)?;
        self.finished = true;
        Ok(())
    }

    fn check_row_is_whole(&self) -> Result<(), EncodeError> {
        if self.pushed != self.columns {
            return Err(EncodeError::RowShape { columns: self.columns });
        }
        Ok(())
    }
}

impl Drop for RowsEncoder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start); // (3)
        }
    }
}
