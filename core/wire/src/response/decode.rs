//! Responses from frames.

use super::{DumpFile, Response, ResponseContext, ResponseType};
use crate::call;
use crate::error::DecodeError;
use crate::frame::Frame;
use crate::hello::Protocol;
use crate::node::{ClusterFormat, NodeAddress, NodeInfo, Role};
use crate::reader::Reader;
use crate::status::{Metric, NodeStatus};
use crate::writer::WORD_BYTES;

impl Response {
    /// Reads a response. Bytes behind a complete body are ignored; rows are left for
    /// [`crate::RowsDecoder`].
    ///
    /// # Errors
    /// The peer does not speak the protocol. Frames stay aligned, but close the connection all the
    /// same: what the answer was is lost.
    pub fn decode(frame: &Frame, context: ResponseContext) -> Result<Self, DecodeError> {
        let kind = frame.kind;
        let Some(response_type) = ResponseType::from_number(kind) else {
            return Err(DecodeError::UnknownResponseType { kind });
        };
        let schema_max = u8::from(response_type == ResponseType::Statement);
        if frame.schema > schema_max {
            return Err(DecodeError::UnknownResponseSchema { kind, schema: frame.schema });
        }
        let mut reader = Reader::new(&frame.body);
        let body = &mut reader;
        Ok(match response_type {
            ResponseType::Failure => Self::Failure { code: body.u64()?, message: body.text()? },
            ResponseType::Server => match context.protocol {
                Protocol::Current => Self::Server { id: body.u64()?, address: body.text()? },
                Protocol::Legacy => Self::ServerLegacy { address: body.text()? },
            },
            ResponseType::Welcome => Self::Welcome { heartbeat_timeout_ms: body.u64()? },
            ResponseType::Servers => decode_servers(body, context.cluster_format)?,
            ResponseType::Database => {
                let id = body.u32()?;
                body.u32()?;
                Self::Database { id }
            }
            ResponseType::Statement => Self::Statement {
                database: body.u32()?,
                id: body.u32()?,
                params: body.u64()?,
                tail_bytes: if frame.schema == 1 { Some(body.u64()?) } else { None },
            },
            ResponseType::Result => {
                Self::Result { last_insert_id: body.i64()?, rows_affected: body.u64()? }
            }
            ResponseType::Rows => Self::Rows(frame.body.clone()),
            ResponseType::Empty => {
                body.u64()?;
                Self::Empty
            }
            ResponseType::Files => Self::Files(decode_files(body)?),
            ResponseType::Metadata => {
                Self::Metadata { failure_domain: body.u64()?, weight: body.u64()? }
            }
            ResponseType::Status => Self::Status(NodeStatus::decode(body)?),
            ResponseType::Metrics => Self::Metrics(Metric::decode_all(body)?),
            ResponseType::Session => Self::Session(call::Opened::decode(body)?),
            ResponseType::Ran => Self::Ran(call::Ran::decode(body)?),
            ResponseType::Batch => Self::Batch(call::Fetched::decode(body)?),
            ResponseType::Outcome => Self::Outcome(call::Outcome::decode(body)?),
            ResponseType::Index => Self::Index { index: body.u64()? },
            ResponseType::Piece => Self::Piece(call::BackupPiece::decode(body)?),
        })
    }
}

fn decode_servers(body: &mut Reader<'_>, format: ClusterFormat) -> Result<Response, DecodeError> {
    match format {
        ClusterFormat::Addresses => {
            let mut servers = Vec::new();
            for _ in 0..body.count(16)? {
                servers.push(NodeAddress { id: body.u64()?, address: body.text()? });
            }
            Ok(Response::ServersPlain(servers))
        }
        ClusterFormat::Roles => {
            let mut servers = Vec::new();
            for _ in 0..body.count(24)? {
                let (id, address) = (body.u64()?, body.text()?);
                servers.push(NodeInfo { id, address, role: Role::try_from(body.u64()?)? });
            }
            Ok(Response::Servers(servers))
        }
    }
}

fn decode_files(body: &mut Reader<'_>) -> Result<Vec<DumpFile>, DecodeError> {
    let mut files = Vec::new();
    for _ in 0..body.count(16)? {
        let (name, bytes) = (body.text()?, body.u64()?);
        if !bytes.is_multiple_of(WORD_BYTES as u64) {
            return Err(DecodeError::UnalignedFile { bytes });
        }
        let length = usize::try_from(bytes).map_err(|_| DecodeError::Truncated)?;
        files.push(DumpFile { name, content: body.share_next(length)? });
    }
    Ok(files)
}
