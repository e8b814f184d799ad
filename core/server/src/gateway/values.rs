//! Between the wire's values and SQLite's.

use bytes::BytesMut;
use dqlite_engine::{Error, Parameters, RowSink, Rows, ValueRef};
use dqlite_wire::{ColumnClass, Params, RowsEncoder, RowsEnd, limits};

/// A request's parameters as the engine binds them.
#[derive(Debug)]
pub(super) struct RequestParams(pub Params);

impl Parameters for RequestParams {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        self.0.iter().map(|value| match value.bound() {
            dqlite_wire::ValueRef::Integer(number) => ValueRef::Integer(number),
            dqlite_wire::ValueRef::Float(number) => ValueRef::Real(number),
            dqlite_wire::ValueRef::Text(text) => ValueRef::Text(text),
            dqlite_wire::ValueRef::Blob(blob) => ValueRef::Blob(blob),
            // `bound` leaves no other kind.
            _ => ValueRef::Null,
        })
    }
}

/// Writes rows into frames: each of about 64 KiB, and one row at least.
#[derive(Debug, Default)]
pub(super) struct RowFrames(pub BytesMut);

impl RowSink for RowFrames {
    fn take(&mut self, rows: &mut Rows<'_>) -> Result<bool, Error> {
        // The columns are known only after a step: it may find that the schema has changed.
        let mut at_row = rows.advance()?.is_some();
        let columns = rows.statement().columns();
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let classes: Vec<_> =
            columns.iter().map(|column| ColumnClass::of(column.declared_type.as_deref())).collect();
        loop {
            let mut frame = RowsEncoder::begin(&mut self.0, &names).map_err(encode_error)?;
            while at_row && !frame.is_full(limits::ROWS_FRAME_BYTES) {
                frame.begin_row().map_err(encode_error)?;
                for (column, class) in classes.iter().enumerate() {
                    let value = class.encode_as(wire_value(rows.statement().value(column)));
                    frame.push(value).map_err(encode_error)?;
                }
                if !frame.is_full(limits::ROWS_FRAME_BYTES) {
                    at_row = rows.advance()?.is_some();
                }
            }
            let end = if at_row { RowsEnd::Part } else { RowsEnd::Done };
            frame.finish(end).map_err(encode_error)?;
            if !at_row {
                return Ok(false);
            }
            if rows.may_pause() {
                return Ok(true);
            }
            at_row = rows.advance()?.is_some();
        }
    }
}

fn wire_value(value: ValueRef<'_>) -> dqlite_wire::ValueRef<'_> {
    match value {
        ValueRef::Null => dqlite_wire::ValueRef::Null,
        ValueRef::Integer(number) => dqlite_wire::ValueRef::Integer(number),
        ValueRef::Real(number) => dqlite_wire::ValueRef::Float(number),
        ValueRef::Text(text) => dqlite_wire::ValueRef::Text(text),
        ValueRef::Blob(blob) => dqlite_wire::ValueRef::Blob(blob),
    }
}

fn encode_error(error: dqlite_wire::EncodeError) -> Error {
    Error::Io(format!("the result does not fit the protocol: {error}"))
}
