//! Frames from responses. A text is cut at its first NUL: an answer must go out, and the format
//! cannot say more.

use bytes::BytesMut;

use super::{Response, ResponseType};
use crate::error::EncodeError;
use crate::frame::{encode_frame, header_of};
use crate::limits;
use crate::status::Metric;
use crate::writer::{WORD_BYTES, padded, put_text, put_u32, put_u64};

impl Response {
    /// Writes the response as a frame behind what `out` holds.
    ///
    /// # Errors
    /// The response cannot be expressed; `out` is as it was.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let kind = self.response_type().number();
        encode_frame(out, kind, self.schema(), |out| self.put(out))
    }

    fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Failure { code, message } => put_failure(out, *code, message),
            Self::Server { id, address } => {
                put_u64(out, *id);
                put_text(out, address.as_bytes());
            }
            Self::ServerLegacy { address } => put_text(out, address.as_bytes()),
            Self::Welcome { heartbeat_timeout_ms } => put_u64(out, *heartbeat_timeout_ms),
            Self::Servers(servers) => {
                put_u64(out, servers.len() as u64);
                for server in servers {
                    put_u64(out, server.id);
                    put_text(out, server.address.as_bytes());
                    put_u64(out, server.role.number());
                }
            }
            Self::ServersPlain(servers) => {
                put_u64(out, servers.len() as u64);
                for server in servers {
                    put_u64(out, server.id);
                    put_text(out, server.address.as_bytes());
                }
            }
            Self::Database { id } => put_u64(out, u64::from(*id)),
            Self::Statement { database, id, params, tail_bytes } => {
                put_u32(out, *database);
                put_u32(out, *id);
                put_u64(out, *params);
                tail_bytes.iter().for_each(|tail_bytes| put_u64(out, *tail_bytes));
            }
            Self::Result { last_insert_id, rows_affected } => {
                put_u64(out, *last_insert_id as u64);
                put_u64(out, *rows_affected);
            }
            Self::Rows(body) => out.extend_from_slice(body),
            Self::Empty => put_u64(out, 0),
            Self::Files(files) => {
                put_u64(out, files.len() as u64);
                for file in files {
                    encode_file_header(out, &file.name, file.content.len() as u64)?;
                    out.extend_from_slice(&file.content);
                }
            }
            Self::Metadata { failure_domain, weight } => {
                put_u64(out, *failure_domain);
                put_u64(out, *weight);
            }
            Self::Status(status) => status.put(out),
            Self::Metrics(metrics) => Metric::put_all(metrics, out),
            Self::Session(opened) => opened.put(out),
            Self::Ran(ran) => ran.put(out),
            Self::Batch(fetched) => fetched.put(out),
            Self::Outcome(outcome) => outcome.put(out),
            Self::Index { index } => put_u64(out, *index),
            Self::Piece(piece) => piece.put(out),
        }
        Ok(())
    }
}

/// Writes a FAILURE straight from its parts, the message cut to
/// [`limits::FAILURE_MESSAGE_BYTES_MAX`].
pub fn encode_failure(out: &mut BytesMut, code: u64, message: &str) {
    let result = encode_frame(out, ResponseType::Failure.number(), 0, |out| {
        put_failure(out, code, message);
        Ok(())
    });
    debug_assert!(result.is_ok(), "a bounded message fits into a frame");
}

fn put_failure(out: &mut BytesMut, code: u64, message: &str) {
    let end = message.floor_char_boundary(limits::FAILURE_MESSAGE_BYTES_MAX);
    put_u64(out, code);
    put_text(out, &message.as_bytes()[..end]);
}

/// Writes the start of a FILES response for files of these names and sizes in bytes, whose content
/// is not at hand. For each of them in turn, [`encode_file_header`] and the content must follow.
///
/// # Errors
/// The files are too large for one frame, or one is not a number of whole words long; `out` is as
/// it was.
pub fn encode_files_header(out: &mut BytesMut, files: &[(&str, u64)]) -> Result<(), EncodeError> {
    let mut body_bytes = WORD_BYTES;
    for &(name, bytes) in files {
        check_file_size(bytes)?;
        let name_bytes = padded(name.find('\0').unwrap_or(name.len()) + 1);
        body_bytes = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| body_bytes.checked_add(bytes))
            .and_then(|body_bytes| body_bytes.checked_add(name_bytes + WORD_BYTES))
            .ok_or(EncodeError::BodyTooLarge { body_bytes: usize::MAX })?;
    }
    let header = header_of(body_bytes, ResponseType::Files.number(), 0)?;
    out.extend_from_slice(&header.encode());
    put_u64(out, files.len() as u64);
    Ok(())
}

/// Writes what stands before the content of one file in a FILES response.
///
/// # Errors
/// [`EncodeError::UnalignedFile`]; `out` is as it was.
pub fn encode_file_header(out: &mut BytesMut, name: &str, bytes: u64) -> Result<(), EncodeError> {
    check_file_size(bytes)?;
    put_text(out, name.as_bytes());
    put_u64(out, bytes);
    Ok(())
}

fn check_file_size(bytes: u64) -> Result<(), EncodeError> {
    if !bytes.is_multiple_of(WORD_BYTES as u64) {
        return Err(EncodeError::UnalignedFile { bytes });
    }
    Ok(())
}
