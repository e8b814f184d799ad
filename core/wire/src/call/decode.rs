//! The bodies of the calls, read.

use super::parameters::decode_sets;
use super::{
    AskBackup, AskOutcome, BackupPiece, BatchLimits, Column, Consistency, Fetch, Fetched,
    OpenSession, Opened, Outcome, Place, Ran, RowBatch, Run, RunKind, Wait,
};
use crate::Text;
use crate::error::DecodeError;
use crate::reader::Reader;

fn unknown<T>(format: u64) -> Result<T, DecodeError> {
    Err(DecodeError::UnknownFormat { format })
}

impl OpenSession {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let place = match body.u64()? {
            0 => Place::Leader,
            1 => Place::Here,
            other => return unknown(other),
        };
        let busy_timeout_ms = body.u64()?;
        Ok(Self { place, busy_timeout_ms, client: body.u128()?, database: body.text()? })
    }
}

impl Opened {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { node: body.u64()?, index: body.u64()? })
    }
}

impl Consistency {
    fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (kind, bound) = (body.u64()?, body.u64()?);
        match kind {
            0 => Ok(Self::Linearizable),
            1 => Ok(Self::Leader),
            2 => Ok(Self::AtLeast(bound)),
            3 => Ok(Self::Within(bound)),
            other => unknown(other),
        }
    }
}

impl BatchLimits {
    fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { rows: body.u32()?, bytes: body.u32()? })
    }
}

impl Run {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = match body.u64()? {
            0 => RunKind::One,
            1 => RunKind::Many,
            2 => RunKind::Script,
            other => return unknown(other),
        };
        let begin = match body.u64()? {
            0 => false,
            1 => true,
            other => return unknown(other),
        };
        Ok(Self {
            kind,
            begin,
            consistency: Consistency::decode(body)?,
            mark: body.u64()?,
            timeout_ms: body.u64()?,
            limits: BatchLimits::decode(body)?,
            sql: Text::try_from(body.blob()?).map_err(|_| DecodeError::InvalidUtf8)?,
            parameters: decode_sets(&body.blob()?)?,
        })
    }
}

impl Ran {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = body.u64()?;
        let changes = Some(body.u64()?).filter(|_| flags & Self::HAS_CHANGES != 0);
        let (last_insert_rowid, total_changes, index) = (body.i64()?, body.u64()?, body.u64()?);
        let cursor = Some(body.u32()?).filter(|_| flags & Self::HAS_CURSOR != 0);
        body.u32()?;
        let mut columns = Vec::new();
        for _ in 0..body.count(16)? {
            columns.push(Column::decode(body)?);
        }
        Ok(Self {
            columns: columns.into(),
            changes,
            last_insert_rowid,
            total_changes,
            in_transaction: flags & Self::IN_TRANSACTION != 0,
            index,
            rows: RowBatch(body.blob()?),
            cursor,
        })
    }
}

impl Column {
    fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (name, declared_type) = (body.text()?, body.text()?);
        Ok(Self { name, declared_type: Some(declared_type).filter(|text| !text.is_empty()) })
    }
}

impl Fetch {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cursor = decode_cursor(body)?;
        Ok(Self { cursor, limits: BatchLimits::decode(body)? })
    }
}

/// A cursor in a word of its own.
pub(crate) fn decode_cursor(body: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let cursor = body.u32()?;
    body.u32()?;
    Ok(cursor)
}

impl Fetched {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { more: body.u64()? != 0, rows: RowBatch(body.blob()?) })
    }
}

impl AskOutcome {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mark, since) = (body.u64()?, body.u64()?);
        Ok(Self { mark, since, client: body.u128()?, database: body.text()? })
    }
}

impl Outcome {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (kind, index) = (body.u64()?, body.u64()?);
        match kind {
            0 => Ok(Self::NotApplied),
            1 => Ok(Self::Applied(index)),
            2 => Ok(Self::Forgotten),
            other => unknown(other),
        }
    }
}

impl Wait {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { index: body.u64()?, timeout_ms: body.u64()? })
    }
}

impl AskBackup {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let offset_bytes = body.u64()?;
        Ok(Self { offset_bytes, database: body.text()? })
    }
}

impl BackupPiece {
    pub(crate) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { total_bytes: body.u64()?, content: body.blob()? })
    }
}
