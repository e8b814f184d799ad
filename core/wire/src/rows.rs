//! Rows: results as they are streamed, frame by frame.
//!
//! 1. Each frame of a result repeats the columns, and ends with a marker as its last word: DONE, or
//!    PART if another frame follows. A partial frame holds at least one row.
//! 2. A row begins with the types of its values, four bits each. No type looks like a marker.
//! 3. A frame that is not finished leaves no byte behind, so that a FAILURE can take its place.

mod decoder;
mod encoder;
#[cfg(test)]
mod tests;

pub use decoder::RowsDecoder;
pub use encoder::RowsEncoder;

use crate::writer::WORD_BYTES;

/// How a frame of rows ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsEnd {
    /// The result is complete.
    Done,
    /// Another frame follows without being asked for.
    Part,
}

impl RowsEnd {
    /// The marker on the wire.
    pub const fn marker(self) -> u64 {
        match self {
            Self::Done => u64::MAX,
            Self::Part => 0xeeee_eeee_eeee_eeee,
        }
    }

    const fn from_marker(word: u64) -> Option<Self> {
        match word {
            u64::MAX => Some(Self::Done),
            0xeeee_eeee_eeee_eeee => Some(Self::Part),
            _ => None,
        }
    }
}

/// The size of a row's header: half a byte a column, in whole words.
const fn row_header_bytes(columns: usize) -> usize {
    columns.div_ceil(2 * WORD_BYTES) * WORD_BYTES
}
