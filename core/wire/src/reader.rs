//! How the primitives are read: a cursor over one body, which hands out parts of it.

use std::ffi::CStr;

use bytes::Bytes;

use crate::Text;
use crate::error::DecodeError;
use crate::value::{Value, ValueRef, ValueType};
use crate::writer::padded;

/// A cursor over the body of a frame. What it gives shares the body's memory.
///
/// A read that fails leaves the cursor anywhere inside the field.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    body: &'a Bytes,
    position: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the start of `body`.
    pub fn new(body: &'a Bytes) -> Self {
        Self::at(body, 0)
    }

    pub(crate) fn at(body: &'a Bytes, position: usize) -> Self {
        Self { body, position }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What is not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.body.get(self.position..).unwrap_or_default()
    }

    /// Whether everything is read.
    pub fn is_empty(&self) -> bool {
        self.position >= self.body.len()
    }

    /// The next `bytes` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.rest().get(..bytes).ok_or(DecodeError::Truncated)?;
        self.position += bytes;
        Ok(taken)
    }

    /// The next `bytes` bytes, sharing the body's memory.
    pub(crate) fn share_next(&mut self, bytes: usize) -> Result<Bytes, DecodeError> {
        self.take(bytes).map(|taken| self.share(taken))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.rest().first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.position += N;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// Half a word.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// One word.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Two words, the low one first.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        self.array().map(u128::from_le_bytes)
    }

    /// One word, signed.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    /// One word, as a number with a fraction.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_le_bytes)
    }

    /// A count of items of at least `item_bytes` bytes each, which the rest has room for.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], so that a count alone never makes anyone reserve memory.
    pub fn count(&mut self, item_bytes: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.u64()?).map_err(|_| DecodeError::Truncated)?;
        if count > self.rest().len() / item_bytes.max(1) {
            return Err(DecodeError::Truncated);
        }
        Ok(count)
    }

    /// A text, checked to be UTF-8.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::UnterminatedText`], [`DecodeError::InvalidUtf8`].
    pub fn text(&mut self) -> Result<Text, DecodeError> {
        let text = self.text_bytes()?;
        Text::try_from(self.share(text)).map_err(|_| DecodeError::InvalidUtf8)
    }

    /// A text as it lies in the body, not checked to be UTF-8.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] and [`DecodeError::UnterminatedText`].
    pub fn text_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = self.rest();
        let text = CStr::from_bytes_until_nul(rest)
            .map_err(|_| {
                if rest.is_empty() { DecodeError::Truncated } else { DecodeError::UnterminatedText }
            })?
            .to_bytes();
        self.take(padded(text.len() + 1))?;
        Ok(text)
    }

    /// A blob, without its padding.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn blob(&mut self) -> Result<Bytes, DecodeError> {
        self.blob_bytes().map(|blob| self.share(blob))
    }

    /// A blob as it lies in the body, without its padding.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn blob_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u64()?).map_err(|_| DecodeError::Truncated)?;
        let field = self.take(padded(length))?;
        field.get(..length).ok_or(DecodeError::Truncated)
    }

    /// A value of a known type. Its text is not checked to be UTF-8.
    ///
    /// # Errors
    /// Those of the primitive.
    pub fn value_ref(&mut self, value_type: ValueType) -> Result<ValueRef<'a>, DecodeError> {
        Ok(match value_type {
            ValueType::Integer => ValueRef::Integer(self.i64()?),
            ValueType::Float => ValueRef::Float(self.f64()?),
            ValueType::Text => ValueRef::Text(self.text_bytes()?),
            ValueType::Blob => ValueRef::Blob(self.blob_bytes()?),
            ValueType::Null => self.u64().map(|_| ValueRef::Null)?,
            ValueType::UnixTime => ValueRef::UnixTime(self.i64()?),
            ValueType::Iso8601 => ValueRef::Iso8601(self.text_bytes()?),
            ValueType::Boolean => ValueRef::Boolean(self.u64()?),
        })
    }

    /// A value of a known type, its text checked to be UTF-8.
    ///
    /// # Errors
    /// Those of the primitive.
    pub fn value(&mut self, value_type: ValueType) -> Result<Value, DecodeError> {
        Ok(match value_type {
            ValueType::Text => Value::Text(self.text()?),
            ValueType::Iso8601 => Value::Iso8601(self.text()?),
            ValueType::Blob => Value::Blob(self.blob()?),
            ValueType::Integer => Value::Integer(self.i64()?),
            ValueType::Float => Value::Float(self.f64()?),
            ValueType::Null => self.u64().map(|_| Value::Null)?,
            ValueType::UnixTime => Value::UnixTime(self.i64()?),
            ValueType::Boolean => Value::Boolean(self.u64()?),
        })
    }

    /// The same bytes, kept alive by the body's own memory. `part` lies inside the body.
    fn share(&self, part: &'a [u8]) -> Bytes {
        self.body.slice_ref(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_in_the_padding_is_ignored() {
        let body = Bytes::from_static(
            b"ab\0\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0\x07\xff\xff\xff\xff\xff\xff\xff",
        );
        let mut reader = Reader::new(&body);
        assert_eq!(reader.text().unwrap(), "ab");
        assert_eq!(reader.blob().unwrap(), &[7][..]);
        assert!(reader.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let body = Bytes::from_static(b"abcdefgh");
        assert_eq!(Reader::new(&body).text(), Err(DecodeError::UnterminatedText));
        assert_eq!(Reader::new(&body).blob(), Err(DecodeError::Truncated));
        assert_eq!(Reader::at(&body, 8).text(), Err(DecodeError::Truncated));
        let body = Bytes::from_static(b"abc\0");
        assert_eq!(Reader::new(&body).text(), Err(DecodeError::Truncated));
        let body = Bytes::from_static(b"a\xff\0\0\0\0\0\0");
        assert_eq!(Reader::new(&body).text(), Err(DecodeError::InvalidUtf8));
        let body = Bytes::from(vec![0xff; 16]);
        assert_eq!(Reader::new(&body).blob(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&body).count(0), Err(DecodeError::Truncated));
    }
}
