//! Names of databases, and of the files that hold them.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// The longest file name, without its ending, that a name may turn into, in bytes.
const FILE_NAME_BYTES_MAX: usize = 240;

/// The name of a database: any text that is not empty and whose file name is not too long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName(Arc<str>);

impl DatabaseName {
    /// Takes `name` as it is.
    ///
    /// # Errors
    /// [`Error::Name`] when `name` is empty, holds a NUL, or needs a file name of more than 240
    /// bytes.
    pub fn new(name: &str) -> Result<Self, Error> {
        let refuse = |reason| Err(Error::Name { name: name.to_owned(), reason });
        if name.is_empty() {
            return refuse("it is empty");
        }
        if name.contains('\0') {
            return refuse("it holds a NUL");
        }
        let name = Self(name.into());
        if name.file_stem().len() > FILE_NAME_BYTES_MAX {
            return refuse("it is too long");
        }
        Ok(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in letters, digits, `_`, `-` and inner dots; every other byte as `%` and two hex
    /// digits. No two names share one.
    pub(crate) fn file_stem(&self) -> String {
        let mut stem = String::with_capacity(self.0.len());
        for (position, byte) in self.0.bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => stem.push(byte as char),
                b'.' if position > 0 => stem.push('.'),
                _ => stem.push_str(&format!("%{byte:02x}")),
            }
        }
        stem
    }

    /// The name that `stem` stands for; `None` where no name gives it.
    pub(crate) fn from_file_stem(stem: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(stem.len());
        let mut rest = stem.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            if first != b'%' {
                bytes.push(first);
                continue;
            }
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        }
        let name = Self::new(std::str::from_utf8(&bytes).ok()?).ok()?;
        (name.file_stem() == stem).then_some(name)
    }
}

impl fmt::Debug for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", &*self.0)
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_file_of_its_own() {
        for text in ["app", "a/b", ".hidden", "..", "k8s.db", "größe", "a%2fb", "x y"] {
            let name = DatabaseName::new(text).unwrap();
            let stem = name.file_stem();
            assert!(!stem.contains('/') && !stem.starts_with('.'), "{stem}");
            assert_eq!(DatabaseName::from_file_stem(&stem), Some(name));
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for text in ["", "a\0b", &"x".repeat(241)] {
            assert!(matches!(DatabaseName::new(text), Err(Error::Name { .. })));
        }
        for stem in ["%", "%zz", "a%2", "%61"] {
            assert_eq!(DatabaseName::from_file_stem(stem), None);
        }
    }
}
