//! Rows on their way from the engine into a batch.

use bytes::BytesMut;
use dqlite_engine::{BatchSink, ValueRef};
use dqlite_wire::call::{BatchLimits, RowBatch, RowBatchEncoder};

/// Room that a new buffer begins with, in bytes: for some dozens of small results.
const BUFFER_BYTES: usize = 4096;

/// One batch of rows.
#[derive(Debug)]
pub(super) struct BatchRows {
    encoder: RowBatchEncoder,
    limits: BatchLimits,
}

impl BatchRows {
    /// Writes behind what `buffer` gave away before.
    pub fn new(mut buffer: BytesMut, limits: BatchLimits) -> Self {
        if buffer.capacity() < BUFFER_BYTES / 32 {
            buffer.reserve(BUFFER_BYTES);
        }
        Self { encoder: RowBatchEncoder::new(buffer), limits }
    }

    /// The batch, and what is left of the buffer.
    pub fn finish(self) -> (RowBatch, BytesMut) {
        self.encoder.finish()
    }
}

impl BatchSink for BatchRows {
    fn begin(&mut self, columns: usize) {
        self.encoder.begin(columns);
    }

    fn push(&mut self, value: ValueRef<'_>) {
        self.encoder.push(match value {
            ValueRef::Null => dqlite_wire::ValueRef::Null,
            ValueRef::Integer(number) => dqlite_wire::ValueRef::Integer(number),
            ValueRef::Real(number) => dqlite_wire::ValueRef::Float(number),
            ValueRef::Text(text) => dqlite_wire::ValueRef::Text(text),
            ValueRef::Blob(blob) => dqlite_wire::ValueRef::Blob(blob),
        });
    }

    fn end_row(&mut self) -> bool {
        self.encoder.end_row();
        self.encoder.row_count() >= self.limits.rows
            || self.encoder.encoded_bytes() >= self.limits.bytes as usize
    }
}
