//! The parameters of RUN: sets of values, unpadded, so that a text may hold anything.
//!
//! ```text
//! parameters = sets u32 | set*
//! set        = 0 u8 | count u32 | value*                        in order
//!            | 1 u8 | count u32 | (length u32, name | value)*   by name
//! ```
//!
//! Values are written as in a [`super::RowBatch`]. A value takes more memory than the byte that a
//! NULL needs here, so [`limits::RUN_VALUES_MAX`] bounds what one message may unfold to.

use bytes::{Bytes, BytesMut};

use super::ParameterSet;
use crate::Text;
use crate::error::{DecodeError, EncodeError};
use crate::limits;
use crate::reader::Reader;
use crate::value::{Value, ValueRef};
use crate::writer::{put_blob_with, put_u32, put_u64};

const POSITIONAL: u8 = 0;
const NAMED: u8 = 1;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const FLOAT: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// The fewest bytes of a set: its kind and its count.
const SET_BYTES_MIN: usize = 5;

impl ParameterSet {
    /// Reads one set, written as in RUN. Texts and blobs share the buffer's memory.
    ///
    /// # Errors
    /// The bytes are no set, or there are some behind it.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let set = decode_set(&mut reader, &mut { limits::RUN_VALUES_MAX })?;
        nothing_behind(&reader)?;
        Ok(set)
    }

    /// Reads any number of sets, written as in RUN: their count stands before them.
    ///
    /// # Errors
    /// The bytes are no sets, or there are some behind them.
    pub fn decode_all(bytes: &Bytes) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sets = read_sets(&mut reader)?;
        nothing_behind(&reader)?;
        Ok(sets)
    }
}

fn nothing_behind(reader: &Reader<'_>) -> Result<(), DecodeError> {
    match reader.rest().len() {
        0 => Ok(()),
        bytes => Err(DecodeError::BytesBehind { bytes }),
    }
}

/// Writes the sets as one blob.
pub(super) fn put_sets(out: &mut BytesMut, sets: &[ParameterSet]) -> Result<(), EncodeError> {
    let weight = sets.iter().map(weight_of).fold(0, usize::saturating_add);
    if weight > limits::RUN_VALUES_MAX {
        return Err(EncodeError::TooManyParams { params: weight });
    }
    put_blob_with(out, |out| {
        put_length(out, sets.len())?;
        sets.iter().try_for_each(|set| put_set(out, set))
    })
}

/// What a set counts against the limit: itself, its values, and their names.
fn weight_of(set: &ParameterSet) -> usize {
    match set {
        ParameterSet::Positional(values) => 1 + values.len(),
        ParameterSet::Named(values) => 1 + 2 * values.len(),
    }
}

fn put_set(out: &mut BytesMut, set: &ParameterSet) -> Result<(), EncodeError> {
    match set {
        ParameterSet::Positional(values) => {
            out.extend_from_slice(&[POSITIONAL]);
            put_length(out, values.len())?;
            values.iter().try_for_each(|value| put_value(out, value))
        }
        ParameterSet::Named(values) => {
            out.extend_from_slice(&[NAMED]);
            put_length(out, values.len())?;
            values.iter().try_for_each(|(name, value)| {
                put_bytes(out, name.as_bytes())?;
                put_value(out, value)
            })
        }
    }
}

fn put_value(out: &mut BytesMut, value: &Value) -> Result<(), EncodeError> {
    match value.as_ref().bound() {
        ValueRef::Integer(number) | ValueRef::UnixTime(number) => {
            out.extend_from_slice(&[INTEGER]);
            put_u64(out, number as u64);
        }
        ValueRef::Float(number) => {
            out.extend_from_slice(&[FLOAT]);
            put_u64(out, number.to_bits());
        }
        ValueRef::Text(text) | ValueRef::Iso8601(text) => {
            out.extend_from_slice(&[TEXT]);
            put_bytes(out, text)?;
        }
        ValueRef::Blob(blob) => {
            out.extend_from_slice(&[BLOB]);
            put_bytes(out, blob)?;
        }
        ValueRef::Null => out.extend_from_slice(&[NULL]),
        ValueRef::Boolean(word) => {
            out.extend_from_slice(&[INTEGER]);
            put_u64(out, u64::from(word != 0));
        }
    }
    Ok(())
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) -> Result<(), EncodeError> {
    put_length(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

fn put_length(out: &mut BytesMut, length: usize) -> Result<(), EncodeError> {
    let length =
        u32::try_from(length).map_err(|_| EncodeError::BodyTooLarge { body_bytes: length })?;
    put_u32(out, length);
    Ok(())
}

/// Reads the sets from the blob. Texts and blobs share its memory. What stands behind is ignored.
pub(super) fn decode_sets(blob: &Bytes) -> Result<Vec<ParameterSet>, DecodeError> {
    read_sets(&mut Reader::new(blob))
}

fn read_sets(reader: &mut Reader<'_>) -> Result<Vec<ParameterSet>, DecodeError> {
    let mut budget = limits::RUN_VALUES_MAX;
    let count = count(reader, SET_BYTES_MIN)?;
    spend(&mut budget, count)?;
    let mut sets = Vec::new();
    for _ in 0..count {
        sets.push(decode_set(reader, &mut budget)?);
    }
    Ok(sets)
}

fn decode_set(reader: &mut Reader<'_>, budget: &mut usize) -> Result<ParameterSet, DecodeError> {
    match reader.u8()? {
        POSITIONAL => {
            let count = count(reader, 1)?;
            spend(budget, count)?;
            let values = (0..count).map(|_| decode_value(reader));
            values.collect::<Result<_, _>>().map(ParameterSet::Positional)
        }
        NAMED => {
            let count = count(reader, 5)?;
            spend(budget, count.saturating_mul(2))?;
            let values = (0..count).map(|_| Ok((decode_text(reader)?, decode_value(reader)?)));
            values.collect::<Result<_, _>>().map(ParameterSet::Named)
        }
        kind => Err(DecodeError::UnknownFormat { format: u64::from(kind) }),
    }
}

fn decode_value(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match reader.u8()? {
        NULL => Value::Null,
        INTEGER => Value::Integer(reader.i64()?),
        FLOAT => Value::Float(reader.f64()?),
        TEXT => Value::Text(decode_text(reader)?),
        BLOB => Value::Blob(decode_bytes(reader)?),
        code => return Err(DecodeError::ParameterType { code }),
    })
}

fn decode_text(reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
    Text::try_from(decode_bytes(reader)?).map_err(|_| DecodeError::InvalidUtf8)
}

fn decode_bytes(reader: &mut Reader<'_>) -> Result<Bytes, DecodeError> {
    let length = usize::try_from(reader.u32()?).map_err(|_| DecodeError::Truncated)?;
    reader.share_next(length)
}

/// A count of items of at least `item_bytes` bytes each, which the rest has room for.
fn count(reader: &mut Reader<'_>, item_bytes: usize) -> Result<usize, DecodeError> {
    let count = usize::try_from(reader.u32()?).map_err(|_| DecodeError::Truncated)?;
    if count > reader.rest().len() / item_bytes {
        return Err(DecodeError::Truncated);
    }
    Ok(count)
}

fn spend(budget: &mut usize, values: usize) -> Result<(), DecodeError> {
    *budget = budget.checked_sub(values).ok_or(DecodeError::TooManyParams)?;
    Ok(())
}
