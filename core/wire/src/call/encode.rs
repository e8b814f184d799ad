//! The bodies of the calls, written.

use bytes::BytesMut;

use super::parameters::put_sets;
use super::{
    AskBackup, AskOutcome, BackupPiece, BatchLimits, Column, Consistency, Fetch, Fetched,
    OpenSession, Opened, Outcome, Place, Ran, Run, RunKind, Wait,
};
use crate::error::EncodeError;
use crate::frame::encode_frame;
use crate::request::RequestType;
use crate::writer::{put_blob, put_text, put_u32, put_u64, put_whole_text};

impl OpenSession {
    pub(crate) fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_u64(
            out,
            match self.place {
                Place::Leader => 0,
                Place::Here => 1,
            },
        );
        put_u64(out, self.busy_timeout_ms);
        put_client(out, self.client);
        put_whole_text(out, self.database.as_bytes())
    }
}

/// The low word first.
fn put_client(out: &mut BytesMut, client: u128) {
    out.extend_from_slice(&client.to_le_bytes());
}

impl Opened {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        put_u64(out, self.node);
        put_u64(out, self.index);
    }
}

impl Consistency {
    fn put(self, out: &mut BytesMut) {
        let (kind, bound) = match self {
            Self::Linearizable => (0, 0),
            Self::Leader => (1, 0),
            Self::AtLeast(index) => (2, index),
            Self::Within(milliseconds) => (3, milliseconds),
        };
        put_u64(out, kind);
        put_u64(out, bound);
    }
}

impl BatchLimits {
    fn put(self, out: &mut BytesMut) {
        put_u32(out, self.rows);
        put_u32(out, self.bytes);
    }
}

impl Run {
    /// Writes RUN as a frame behind what `out` holds.
    ///
    /// # Errors
    /// The values are too many or too large for a frame; `out` is as it was.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        encode_frame(out, RequestType::Run.number(), 0, |out| self.put(out))
    }

    pub(crate) fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_u64(
            out,
            match self.kind {
                RunKind::One => 0,
                RunKind::Many => 1,
                RunKind::Script => 2,
            },
        );
        put_u64(out, u64::from(self.begin));
        self.consistency.put(out);
        put_u64(out, self.mark);
        put_u64(out, self.timeout_ms);
        self.limits.put(out);
        put_blob(out, self.sql.as_bytes());
        put_sets(out, &self.parameters)
    }
}

impl Ran {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        let flag = |bit: u64, set: bool| if set { bit } else { 0 };
        let flags = flag(Self::IN_TRANSACTION, self.in_transaction)
            | flag(Self::HAS_CHANGES, self.changes.is_some())
            | flag(Self::HAS_CURSOR, self.cursor.is_some());
        put_u64(out, flags);
        put_u64(out, self.changes.unwrap_or_default());
        put_u64(out, self.last_insert_rowid as u64);
        put_u64(out, self.total_changes);
        put_u64(out, self.index);
        put_u64(out, u64::from(self.cursor.unwrap_or_default()));
        put_u64(out, self.columns.len() as u64);
        self.columns.iter().for_each(|column| column.put(out));
        put_blob(out, &self.rows.0);
    }
}

impl Column {
    fn put(&self, out: &mut BytesMut) {
        put_text(out, self.name.as_bytes());
        put_text(out, self.declared_type.as_ref().map_or(&[], |name| name.as_bytes()));
    }
}

impl Fetch {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        put_u64(out, u64::from(self.cursor));
        self.limits.put(out);
    }
}

impl Fetched {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        put_u64(out, u64::from(self.more));
        put_blob(out, &self.rows.0);
    }
}

impl AskOutcome {
    pub(crate) fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_u64(out, self.mark);
        put_u64(out, self.since);
        put_client(out, self.client);
        put_whole_text(out, self.database.as_bytes())
    }
}

impl Outcome {
    pub(crate) fn put(self, out: &mut BytesMut) {
        let (kind, index) = match self {
            Self::NotApplied => (0, 0),
            Self::Applied(index) => (1, index),
            Self::Forgotten => (2, 0),
        };
        put_u64(out, kind);
        put_u64(out, index);
    }
}

impl Wait {
    pub(crate) fn put(self, out: &mut BytesMut) {
        put_u64(out, self.index);
        put_u64(out, self.timeout_ms);
    }
}

impl AskBackup {
    pub(crate) fn put(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_u64(out, self.offset_bytes);
        put_whole_text(out, self.database.as_bytes())
    }
}

impl BackupPiece {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        put_u64(out, self.total_bytes);
        put_blob(out, &self.content);
    }
}
