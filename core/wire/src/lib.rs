//! The dqlite client protocol as data: bytes in, messages out, and back. Both sides of it.
//!
//! Nothing here reads a socket, a clock or a file. What a peer sends is never trusted: any input
//! gives a message or an error, without a panic and without memory out of proportion to the bytes
//! that came. What is encoded is what existing servers and clients of dqlite send, byte for byte
//! (`tests/vectors`), and texts and blobs that are decoded share the memory of the frame.
//!
//! ```text
//!  stream   = hello (u64) frame*                      client to server; a server sends frames only
//!  frame    = words u32 | type u8 | schema u8 | extra u16 | body (words * 8 bytes, never empty)
//!  text     = UTF-8 | NUL | NULs up to a word         blob = length u64 | bytes | pad up to a word
//!  params   = count (u8, or u32 in schema 1) | type u8 each | pad up to a word | value each
//!  rows     = columns u64 | name text each | row* | DONE or PART u64
//!  row      = type 4 bits each | pad up to a word | value each
//! ```
//!
//! [`read_hello`] and [`read_frame`] cut a stream into [`Frame`]s; [`Request::decode`] and
//! [`Response::decode`] read them; `encode` writes a whole frame behind what the buffer holds.
//! [`RowsEncoder`] and [`RowsDecoder`] stream results. Everything is little-endian. The tables are
//! in `docs/formats/client-protocol.md`.
//!
//! ```
//! use bytes::BytesMut;
//! use dqlite_wire::{limits, read_frame, Request};
//!
//! let mut stream = BytesMut::new();
//! Request::Leader.encode(&mut stream)?;
//! let frame = read_frame(&mut stream, limits::BODY_BYTES_MAX)?.expect("a whole frame");
//! assert_eq!(Request::decode(&frame)?, Request::Leader);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod call;
pub mod codes;
mod column;
mod error;
mod frame;
mod hello;
pub mod limits;
mod node;
mod params;
mod reader;
mod request;
mod response;
mod rows;
mod status;
mod value;
mod writer;

/// UTF-8 text that shares the memory of the frame it came in.
pub use bytestring::ByteString as Text;

pub use column::ColumnClass;
pub use error::{DecodeError, EncodeError, FrameError, RequestError};
pub use frame::{Frame, HEADER_BYTES, Header, read_frame};
pub use hello::{PROTOCOL_LEGACY, PROTOCOL_VERSION, Protocol, read_hello};
pub use node::{ClusterFormat, NodeAddress, NodeInfo, Role};
pub use params::{Params, ParamsIter, TupleSchema};
pub use reader::Reader;
pub use request::{
    ImportChunk, Request, RequestType, TailPolicy, encode_exec, encode_exec_sql, encode_query,
    encode_query_sql,
};
pub use response::{
    DumpFile, Response, ResponseContext, ResponseType, encode_failure, encode_file_header,
    encode_files_header,
};
pub use rows::{RowsDecoder, RowsEncoder, RowsEnd};
pub use status::{DatabaseStatus, Metric, NodeStatus};
pub use value::{Value, ValueRef, ValueType};
