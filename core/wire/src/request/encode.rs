//! Frames from requests. A text with a NUL is refused: the server would see only part of it.

use bytes::BytesMut;

use super::{ImportChunk, Request, RequestType};
use crate::error::EncodeError;
use crate::frame::encode_frame;
use crate::node::ClusterFormat;
use crate::params::{TupleSchema, put_params};
use crate::value::ValueRef;
use crate::writer::{put_blob, put_u32, put_u64, put_whole_text};

impl Request {
    /// Writes the request as a frame behind what `out` holds.
    ///
    /// # Errors
    /// The request cannot be expressed; `out` is as it was.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let kind = self.request_type().number();
        encode_frame(out, kind, self.schema(), |out| self.put(out))
    }

    fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Leader | Self::Describe | Self::Status | Self::Metrics | Self::Barrier => {
                put_u64(out, 0);
            }
            Self::Client { id: word }
            | Self::Heartbeat { timestamp: word }
            | Self::Interrupt { database: word }
            | Self::Remove { id: word }
            | Self::Transfer { id: word }
            | Self::Weight { weight: word } => put_u64(out, *word),
            Self::Open { name, flags, vfs } => {
                put_whole_text(out, name.as_bytes())?;
                put_u64(out, *flags);
                put_whole_text(out, vfs.as_bytes())?;
            }
            Self::Prepare { database, sql, tail: _ } => {
                put_u64(out, *database);
                put_whole_text(out, sql.as_bytes())?;
            }
            Self::Exec { database, statement, params }
            | Self::Query { database, statement, params } => {
                put_u32(out, *database);
                put_u32(out, *statement);
                params.put(out);
            }
            Self::Finalize { database, statement } => {
                put_u32(out, *database);
                put_u32(out, *statement);
            }
            Self::ExecSql { database, sql, params } | Self::QuerySql { database, sql, params } => {
                put_u64(out, *database);
                put_whole_text(out, sql.as_bytes())?;
                params.put(out);
            }
            Self::Connect { id, address } | Self::Add { id, address } => {
                put_u64(out, *id);
                put_whole_text(out, address.as_bytes())?;
            }
            Self::Assign { id, role } => {
                put_u64(out, *id);
                put_u64(out, role.number());
            }
            Self::Dump { name } => put_whole_text(out, name.as_bytes())?,
            Self::Cluster { format: ClusterFormat::Addresses } => put_u64(out, 0),
            Self::Cluster { format: ClusterFormat::Roles } => put_u64(out, 1),
            Self::Import(chunk) => put_import(out, chunk)?,
            Self::Session(open) => open.put(out)?,
            Self::Run(run) => run.put(out)?,
            Self::Fetch(fetch) => fetch.put(out),
            Self::Close { cursor } => put_u64(out, u64::from(*cursor)),
            Self::Outcome(ask) => ask.put(out)?,
            Self::Wait(wait) => wait.put(out),
            Self::Backup(ask) => ask.put(out)?,
        }
        Ok(())
    }
}

fn put_import(out: &mut BytesMut, chunk: &ImportChunk) -> Result<(), EncodeError> {
    if chunk.end_bytes().is_none() {
        return Err(EncodeError::ImportOutOfRange);
    }
    put_whole_text(out, chunk.database.as_bytes())?;
    put_u64(out, chunk.total_bytes);
    put_u64(out, chunk.offset_bytes);
    put_blob(out, &chunk.content);
    Ok(())
}

/// Writes EXEC straight from borrowed values.
///
/// # Errors
/// A value cannot be a parameter; `out` is as it was.
pub fn encode_exec(
    out: &mut BytesMut,
    database: u32,
    statement: u32,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    encode_prepared(out, RequestType::Exec, database, statement, params)
}

/// Writes QUERY straight from borrowed values.
///
/// # Errors
/// A value cannot be a parameter; `out` is as it was.
pub fn encode_query(
    out: &mut BytesMut,
    database: u32,
    statement: u32,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    encode_prepared(out, RequestType::Query, database, statement, params)
}

/// Writes EXEC_SQL straight from borrowed values.
///
/// # Errors
/// The text has a NUL or a value cannot be a parameter; `out` is as it was.
pub fn encode_exec_sql(
    out: &mut BytesMut,
    database: u64,
    sql: &str,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    encode_text(out, RequestType::ExecSql, database, sql, params)
}

/// Writes QUERY_SQL straight from borrowed values.
///
/// # Errors
/// The text has a NUL or a value cannot be a parameter; `out` is as it was.
pub fn encode_query_sql(
    out: &mut BytesMut,
    database: u64,
    sql: &str,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    encode_text(out, RequestType::QuerySql, database, sql, params)
}

fn encode_prepared(
    out: &mut BytesMut,
    request_type: RequestType,
    database: u32,
    statement: u32,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    let schema = TupleSchema::for_count(params.len()) as u8;
    encode_frame(out, request_type.number(), schema, |out| {
        put_u32(out, database);
        put_u32(out, statement);
        put_params(out, params)
    })
}

fn encode_text(
    out: &mut BytesMut,
    request_type: RequestType,
    database: u64,
    sql: &str,
    params: &[ValueRef<'_>],
) -> Result<(), EncodeError> {
    let schema = TupleSchema::for_count(params.len()) as u8;
    encode_frame(out, request_type.number(), schema, |out| {
        put_u64(out, database);
        put_whole_text(out, sql.as_bytes())?;
        put_params(out, params)
    })
}
