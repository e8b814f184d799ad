//! Why there is no TLS with these files.

use std::io;
use std::path::PathBuf;

/// What is wrong with the files, and with which.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not there, or may not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has other things in it, or nothing.
    #[error("{path} has no {what} in it")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should have.
        what: &'static str,
    },
    /// The file is damaged, or of a kind that cannot be used.
    #[error("{path}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key is another certificate's.
    #[error("the key in {key} does not match the certificate in {cert}")]
    KeyMismatch {
        /// The file with the certificate.
        cert: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// A file is given without the one that it needs.
    #[error("{0}")]
    Incomplete(&'static str),
}
