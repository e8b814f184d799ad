//! Reads entries back from segments.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::{Entry, EntryKind, Position};
use crate::format::{RECORD_HEADER_BYTES, RecordHeader};
use crate::index::Place;
use crate::segment::Segment;

/// Entries that lie apart by more than this are read one by one.
const GAP_BYTES_MAX: u64 = 64 << 10;

/// An entry to be read.
#[derive(Clone, Debug)]
pub struct Stored {
    pub position: Position,
    pub kind: EntryKind,
    pub place: Place,
    /// Keeps the file from being made another segment.
    pub segment: Arc<Segment>,
}

impl Stored {
    fn end(&self) -> u64 {
        self.place.offset + self.place.length as u64
    }

    /// True when `next` can be read in one go with this one.
    fn continues(&self, next: &Self) -> bool {
        self.place.segment == next.place.segment
            && next.place.offset >= self.end()
            && next.place.offset - self.end() <= GAP_BYTES_MAX
    }
}

/// Reads `stored`, in this order. Blocks.
pub fn read_stored(stored: &[Stored]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(stored.len());
    for run in stored.chunk_by(|one, next| one.continues(next)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let begin = first.place.offset;
        let mut bytes = vec![0; (last.end() - begin) as usize];
        let count = first.segment.file.read_at(&mut bytes, begin)?;
        bytes.truncate(count);
        let bytes = Bytes::from(bytes);
        for one in run {
            entries.push(entry(one, &bytes, (one.place.offset - begin) as usize)?);
        }
    }
    Ok(entries)
}

fn entry(stored: &Stored, bytes: &Bytes, offset: usize) -> io::Result<Entry> {
    let end = offset + stored.place.length;
    let record = bytes.get(offset..end).and_then(RecordHeader::verify);
    let expected = record.is_some_and(|record| {
        record.position == stored.position && record.entry_kind() == Some(stored.kind)
    });
    if !expected {
        let message = format!(
            "log damaged: {} at byte {}, entry {}: it is not what was written",
            stored.segment.path.display(),
            stored.place.offset,
            stored.position.index,
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let payload = match offset + RECORD_HEADER_BYTES < end {
        true => vec![bytes.slice(offset + RECORD_HEADER_BYTES..end)],
        false => Vec::new(),
    };
    Ok(Entry { position: stored.position, kind: stored.kind, payload })
}
