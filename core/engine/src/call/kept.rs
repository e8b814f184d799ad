//! Rows of a result that were read ahead into memory.

use std::collections::VecDeque;

use dqlite_vfs::ValueRef;

use super::sink::BatchSink;

/// What a row takes besides its texts and blobs, in bytes for each value.
const VALUE_BYTES: usize = size_of::<Value>();

/// Rows, in order.
#[derive(Debug, Default)]
pub(super) struct Kept {
    columns: usize,
    rows: VecDeque<Vec<Value>>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Box<[u8]>),
    Blob(Box<[u8]>),
}

impl Value {
    fn lend(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => VALUE_BYTES + bytes.len(),
            _ => VALUE_BYTES,
        }
    }
}

impl Kept {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the rows take, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes rows until they take `room` bytes more than now.
    pub fn limit(&mut self, room: usize) {
        self.bytes_max = self.bytes.saturating_add(room);
    }

    /// Gives the first rows to `sink`, until it is full.
    pub fn give<S: BatchSink>(&mut self, sink: &mut S) {
        if self.columns > 0 {
            sink.begin(self.columns);
        }
        while let Some(row) = self.rows.pop_front() {
            for value in &row {
                self.bytes -= value.bytes();
                sink.push(value.lend());
            }
            if sink.end_row() {
                return;
            }
        }
    }
}

impl BatchSink for Kept {
    fn begin(&mut self, columns: usize) {
        self.columns = columns;
    }

    fn push(&mut self, value: ValueRef<'_>) {
        let value = match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(text.into()),
            ValueRef::Blob(blob) => Value::Blob(blob.into()),
        };
        self.bytes += value.bytes();
        match self.rows.back_mut() {
            Some(row) if row.len() < self.columns => row.push(value),
            _ => {
                let mut row = Vec::with_capacity(self.columns);
                row.push(value);
                self.rows.push_back(row);
            }
        }
    }

    fn end_row(&mut self) -> bool {
        self.bytes >= self.bytes_max
    }
}
