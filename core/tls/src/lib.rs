//! TLS for the streams between nodes, and between clients and nodes.
//!
//! A [`TlsNetwork`] wraps another [`Network`](dqlite_env::Network): what it dials and what it
//! accepts speaks TLS from the first byte. Whoever makes the `Env` of a node or a client puts it
//! there, and neither knows of it. Streams over unix sockets, and those through memory, stay plain.
//!
//! What is promised:
//! - A node that is dialled must show a certificate that the given CA signed, for the host by which
//!   it was dialled. The CAs of the system are not asked.
//! - Where a node has a CA, whoever dials it must show a certificate that this CA signed.
//! - A stream that does not begin with a TLS greeting gets an answer in dqlite's protocol that says
//!   so, and nothing it sent is looked at.
//!
//! ```text
//!  node ──┬─ listen ──> Accepting: greeting ── handshake ── bytes      certificate + key, CA
//!         └─ connect ─> handshake, then bytes                          CA, certificate + key
//!  client ─ connect ──> the same                                       CA, perhaps certificate
//! ```
//!
//! ```
//! use dqlite_env::Env;
//! use dqlite_tls::TlsFiles;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let files = TlsFiles { ca: Some("no/such/ca.pem".into()), ..TlsFiles::default() };
//! let error = files.for_client().unwrap_err();
//! assert!(error.to_string().contains("no/such/ca.pem"));
//!
//! // Without files nothing is wrapped.
//! let env = TlsFiles::default().client_env(Env::real())?;
//! # drop(env);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod accepting;
mod error;
mod files;
mod network;
mod settings;

pub use error::Error;
pub use files::TlsFiles;
pub use network::TlsNetwork;
pub use settings::Tls;
