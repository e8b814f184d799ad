//! Bodies: written and read word by word.

use std::ops::Deref;

/// A value with its type on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum V {
    Integer(i64),
    Float(f64),
    Text(String),
    Blob(Vec<u8>),
    Null,
    UnixTime(i64),
    Iso8601(String),
    Boolean(u64),
}

impl V {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn code(&self) -> u8 {
        match self {
            Self::Integer(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::Blob(_) => 4,
            Self::Null => 5,
            Self::UnixTime(_) => 9,
            Self::Iso8601(_) => 10,
            Self::Boolean(_) => 11,
        }
    }
}

/// A body being written.
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<u8>);

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Body {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn u64(mut self, word: u64) -> Self {
        self.0.extend(word.to_le_bytes());
        self
    }

    pub fn u32(mut self, half: u32) -> Self {
        self.0.extend(half.to_le_bytes());
        self
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.extend(text.as_bytes());
        self.0.push(0);
        self.pad()
    }

    pub fn blob(mut self, blob: &[u8]) -> Self {
        self = self.u64(blob.len() as u64);
        self.0.extend(blob);
        self.pad()
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A tuple in the narrowest schema; nothing for no values.
    pub fn params(self, params: &[V]) -> Self {
        match params.len() {
            0 => self,
            1..=255 => self.short_tuple(params),
            _ => self.long_tuple(params),
        }
    }

    pub fn short_tuple(mut self, params: &[V]) -> Self {
        self.0.push(u8::try_from(params.len()).unwrap());
        self.tuple(params)
    }

    pub fn long_tuple(mut self, params: &[V]) -> Self {
        self.0.extend((params.len() as u32).to_le_bytes());
        self.tuple(params)
    }

    fn tuple(mut self, params: &[V]) -> Self {
        self.0.extend(params.iter().map(V::code));
        self = self.pad();
        for value in params {
            self = match value {
                V::Integer(number) | V::UnixTime(number) => self.u64(*number as u64),
                V::Float(number) => self.u64(number.to_bits()),
                V::Text(text) | V::Iso8601(text) => self.text(text),
                V::Blob(blob) => self.blob(blob),
                V::Null => self.u64(0),
                V::Boolean(word) => self.u64(*word),
            };
        }
        self
    }

    fn pad(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        self
    }
}

/// A body being read. Whatever does not fit fails the test.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    pub fn text(&mut self) -> String {
        let length = self.0.iter().position(|&byte| byte == 0).expect("a NUL");
        let text = &self.take((length + 1).next_multiple_of(8))[..length];
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }

    pub fn blob(&mut self) -> &'a [u8] {
        let length = self.u64() as usize;
        &self.take(length.next_multiple_of(8))[..length]
    }

    pub fn value(&mut self, code: u8) -> V {
        match code {
            1 => V::Integer(self.u64() as i64),
            2 => V::Float(f64::from_bits(self.u64())),
            3 => V::Text(self.text()),
            4 => V::Blob(self.blob().to_vec()),
            5 => {
                self.u64();
                V::Null
            }
            9 => V::UnixTime(self.u64() as i64),
            10 => V::Iso8601(self.text()),
            11 => V::Boolean(self.u64()),
            other => panic!("value type {other}"),
        }
    }
}
