//! Parameter tuples: the values of a statement's placeholders, by position.
//!
//! A tuple is checked once, when it is decoded; reading its values afterwards cannot fail.

use bytes::{Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError};
use crate::limits;
use crate::reader::Reader;
use crate::value::{ValueRef, ValueType};
use crate::writer::{padded, put_zeros};

/// How wide a tuple's count is: the schema of the request around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum TupleSchema {
    /// Schema 0: one byte.
    #[default]
    Short = 0,
    /// Schema 1: four bytes.
    Long = 1,
}

impl TupleSchema {
    /// The narrower schema, where it suffices: every server knows it.
    pub const fn for_count(params: usize) -> Self {
        if params <= limits::SHORT_TUPLE_PARAMS_MAX { Self::Short } else { Self::Long }
    }

    const fn count_bytes(self) -> usize {
        match self {
            Self::Short => 1,
            Self::Long => 4,
        }
    }
}

/// A checked tuple that shares the memory of its frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    schema: TupleSchema,
    count: usize,
    /// The tuple as it stands in the body; empty where the body had none.
    tuple: Bytes,
}

impl Params {
    /// No parameters, written as nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// A tuple of these values.
    ///
    /// # Errors
    /// [`EncodeError::NulInText`], [`EncodeError::UnixTimeParameter`] and
    /// [`EncodeError::TooManyParams`].
    pub fn new(values: &[ValueRef<'_>]) -> Result<Self, EncodeError> {
        let mut tuple = BytesMut::new();
        put_params(&mut tuple, values)?;
        let schema = TupleSchema::for_count(values.len());
        Ok(Self { schema, count: values.len(), tuple: tuple.freeze() })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The schema of the request around the tuple.
    pub fn schema(&self) -> TupleSchema {
        self.schema
    }

    /// The values in order, as they were sent ([`ValueRef::bound`] gives what SQLite binds). Texts
    /// are UTF-8. Several statements may take theirs from one iterator, one after the other.
    pub fn iter(&self) -> ParamsIter<'_> {
        let mut reader = Reader::new(&self.tuple);
        let types = read_types(&mut reader, self.schema).unwrap_or_default();
        ParamsIter { types: types.iter(), reader }
    }

    /// Reads the tuple that ends a request. A body that ends here has no parameters, like one with
    /// an empty tuple.
    pub(crate) fn decode(
        reader: &mut Reader<'_>,
        schema: TupleSchema,
    ) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Ok(Self { schema, ..Self::none() });
        }
        let mut walk = reader.clone();
        let types = read_types(&mut walk, schema)?;
        for &code in types {
            let value = match ValueType::from_code(code) {
                None | Some(ValueType::UnixTime) => {
                    return Err(DecodeError::ParameterType { code });
                }
                Some(value_type) => walk.value_ref(value_type)?,
            };
            if let ValueRef::Text(text) | ValueRef::Iso8601(text) = value {
                str::from_utf8(text).map_err(|_| DecodeError::InvalidUtf8)?;
            }
        }
        let tuple_bytes = if types.is_empty() { 0 } else { walk.position() - reader.position() };
        let tuple = reader.share_next(tuple_bytes)?;
        Ok(Self { schema, count: types.len(), tuple })
    }

    pub(crate) fn put(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.tuple);
    }
}

impl<'a> IntoIterator for &'a Params {
    type Item = ValueRef<'a>;
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}

/// The values of [`Params`], in order.
#[derive(Debug, Clone)]
pub struct ParamsIter<'a> {
    types: std::slice::Iter<'a, u8>,
    reader: Reader<'a>,
}

impl<'a> Iterator for ParamsIter<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        let value_type = ValueType::from_code(*self.types.next()?)?;
        self.reader.value_ref(value_type).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.types.size_hint()
    }
}

impl ExactSizeIterator for ParamsIter<'_> {}

/// Reads a tuple's header and gives the type codes of its values.
fn read_types<'a>(reader: &mut Reader<'a>, schema: TupleSchema) -> Result<&'a [u8], DecodeError> {
    let count = match (schema, reader.rest()) {
        (TupleSchema::Short, [count, ..]) => u32::from(*count),
        (TupleSchema::Long, [c0, c1, c2, c3, ..]) => u32::from_le_bytes([*c0, *c1, *c2, *c3]),
        _ => return Err(DecodeError::Truncated),
    };
    let count = usize::try_from(count).map_err(|_| DecodeError::Truncated)?;
    let types_end = count.checked_add(schema.count_bytes()).ok_or(DecodeError::Truncated)?;
    let header = reader.take(padded(types_end))?;
    header.get(schema.count_bytes()..types_end).ok_or(DecodeError::Truncated)
}

/// Writes a tuple in the schema that [`TupleSchema::for_count`] says; nothing for no values.
pub(crate) fn put_params(out: &mut BytesMut, values: &[ValueRef<'_>]) -> Result<(), EncodeError> {
    if values.is_empty() {
        return Ok(());
    }
    let schema = TupleSchema::for_count(values.len());
    let count = u32::try_from(values.len())
        .map_err(|_| EncodeError::TooManyParams { params: values.len() })?;
    let types_end = schema.count_bytes() + values.len();
    out.reserve(padded(types_end) + 8 * values.len());
    out.extend_from_slice(&count.to_le_bytes()[..schema.count_bytes()]);
    out.extend(values.iter().map(|value| value.value_type().code()));
    put_zeros(out, padded(types_end) - types_end);
    for value in values {
        match value {
            ValueRef::UnixTime(_) => return Err(EncodeError::UnixTimeParameter),
            ValueRef::Text(text) | ValueRef::Iso8601(text) if text.contains(&0) => {
                return Err(EncodeError::NulInText);
            }
            value => value.put(out),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
