//! Requests from frames: type first, then schema, then body, as the C server checks them.

use super::{ImportChunk, Request, RequestType, TailPolicy};
use crate::call::{self, decode_cursor};
use crate::codes;
use crate::error::RequestError;
use crate::frame::Frame;
use crate::node::{ClusterFormat, Role};
use crate::params::{Params, TupleSchema};
use crate::reader::Reader;

impl Request {
    /// Reads a request. Bytes behind a complete body are ignored.
    ///
    /// # Errors
    /// [`RequestError::failure`] says what to answer, or that the connection must be closed.
    pub fn decode(frame: &Frame) -> Result<Self, RequestError> {
        let Some(request_type) = RequestType::from_number(frame.kind) else {
            return Err(RequestError::UnknownType { kind: frame.kind });
        };
        check_schema(request_type, frame.schema)?;
        let mut reader = Reader::new(&frame.body);
        let body = &mut reader;
        Ok(match request_type {
            RequestType::Leader => {
                body.u64()?;
                Self::Leader
            }
            RequestType::Client => Self::Client { id: body.u64()? },
            RequestType::Heartbeat => Self::Heartbeat { timestamp: body.u64()? },
            RequestType::Open => {
                Self::Open { name: body.text()?, flags: body.u64()?, vfs: body.text()? }
            }
            RequestType::Prepare
            | RequestType::Exec
            | RequestType::Query
            | RequestType::ExecSql
            | RequestType::QuerySql => decode_statement(request_type, frame.schema, body)?,
            RequestType::Finalize => {
                Self::Finalize { database: body.u32()?, statement: body.u32()? }
            }
            RequestType::Interrupt => Self::Interrupt { database: body.u64()? },
            RequestType::Connect => Self::Connect { id: body.u64()?, address: body.text()? },
            RequestType::Add => Self::Add { id: body.u64()?, address: body.text()? },
            RequestType::Assign => {
                let id = body.u64()?;
                let role = if body.is_empty() { Role::Voter } else { Role::try_from(body.u64()?)? };
                Self::Assign { id, role }
            }
            RequestType::Remove => Self::Remove { id: body.u64()? },
            RequestType::Dump => Self::Dump { name: body.text()? },
            RequestType::Cluster => Self::Cluster { format: decode_cluster_format(body)? },
            RequestType::Transfer => Self::Transfer { id: body.u64()? },
            RequestType::Describe => check_format(body).map(|()| Self::Describe)?,
            RequestType::Weight => Self::Weight { weight: body.u64()? },
            RequestType::Status => check_format(body).map(|()| Self::Status)?,
            RequestType::Import => Self::Import(decode_import(body)?),
            RequestType::Metrics => check_format(body).map(|()| Self::Metrics)?,
            RequestType::Session => Self::Session(call::OpenSession::decode(body)?),
            RequestType::Run => Self::Run(call::Run::decode(body)?),
            RequestType::Fetch => Self::Fetch(call::Fetch::decode(body)?),
            RequestType::Close => Self::Close { cursor: decode_cursor(body)? },
            RequestType::Outcome => Self::Outcome(call::AskOutcome::decode(body)?),
            RequestType::Wait => Self::Wait(call::Wait::decode(body)?),
            RequestType::Barrier => check_format(body).map(|()| Self::Barrier)?,
            RequestType::Backup => Self::Backup(call::AskBackup::decode(body)?),
        })
    }
}

/// HEARTBEAT and CONNECT are not served in any schema, so theirs does not matter.
fn check_schema(request_type: RequestType, schema: u8) -> Result<(), RequestError> {
    let (schema_max, code) = match request_type {
        RequestType::Heartbeat | RequestType::Connect => return Ok(()),
        statement if statement.is_statement() => (1, codes::ERROR),
        _ => (0, codes::PARSE),
    };
    if schema > schema_max {
        return Err(RequestError::UnknownSchema { kind: request_type.number(), schema, code });
    }
    Ok(())
}

/// The requests that have a schema 1.
fn decode_statement(
    request_type: RequestType,
    schema: u8,
    body: &mut Reader<'_>,
) -> Result<Request, RequestError> {
    let (tail, tuple) = match schema {
        0 => (TailPolicy::Refuse, TupleSchema::Short),
        _ => (TailPolicy::Report, TupleSchema::Long),
    };
    if let RequestType::Exec | RequestType::Query = request_type {
        let (database, statement) = (body.u32()?, body.u32()?);
        let params = Params::decode(body, tuple)?;
        return Ok(match request_type {
            RequestType::Exec => Request::Exec { database, statement, params },
            _ => Request::Query { database, statement, params },
        });
    }
    let (database, sql) = (body.u64()?, body.text()?);
    Ok(match request_type {
        RequestType::Prepare => Request::Prepare { database, sql, tail },
        RequestType::ExecSql => {
            Request::ExecSql { database, sql, params: Params::decode(body, tuple)? }
        }
        _ => Request::QuerySql { database, sql, params: Params::decode(body, tuple)? },
    })
}

fn decode_cluster_format(body: &mut Reader<'_>) -> Result<ClusterFormat, RequestError> {
    match body.u64()? {
        0 => Ok(ClusterFormat::Addresses),
        1 => Ok(ClusterFormat::Roles),
        format => Err(RequestError::UnknownClusterFormat { format }),
    }
}

fn check_format(body: &mut Reader<'_>) -> Result<(), RequestError> {
    match body.u64()? {
        0 => Ok(()),
        format => Err(RequestError::UnknownFormat { format }),
    }
}

fn decode_import(body: &mut Reader<'_>) -> Result<ImportChunk, RequestError> {
    let chunk = ImportChunk {
        database: body.text()?,
        total_bytes: body.u64()?,
        offset_bytes: body.u64()?,
        content: body.blob()?,
    };
    if chunk.end_bytes().is_none() {
        return Err(RequestError::ImportOutOfRange);
    }
    Ok(chunk)
}
