//! A segment file: its name, and how it is made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::{File, FileSystem, OpenMode};

use crate::format::SegmentHeader;

const ZEROS_BYTES: usize = 1 << 20;

/// A segment that can be written or read. Dropping it leaves the file alone.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The file's place.
    pub path: PathBuf,
    /// What its first block says.
    pub header: SegmentHeader,
    /// Its nominal size in bytes: only a batch that fits nowhere goes beyond.
    pub capacity: u64,
    /// The file through the environment, for reading.
    pub file: Arc<dyn File>,
}

/// The name of segment number `sequence`.
pub fn segment_name(sequence: u64) -> String {
    format!("segment-{sequence:020}.log")
}

/// The number in the name of a segment.
pub fn segment_sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// The name of a file that is to become segment number `sequence`.
pub fn unfinished_name(sequence: u64) -> String {
    format!("unfinished-{sequence:020}.tmp")
}

/// True for a file that no crash and no restart needs.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with("unfinished-") && name.ends_with(".tmp")
}

/// Makes a segment that can be written at once: all its bytes exist on disk, its header is
/// durable, and so is its name. `used`, an unfinished file, is taken for it if there is one.
///
/// The name comes last: a file with a segment's name has a whole header, whatever was lost.
pub fn prepare(
    files: &dyn FileSystem,
    dir: &Path,
    used: Option<&Path>,
    header: SegmentHeader,
    capacity: u64,
) -> io::Result<Segment> {
    let unfinished = match used {
        Some(path) => path.to_owned(),
        None => dir.join(unfinished_name(header.sequence)),
    };
    let file = files.open(&unfinished, OpenMode::Create)?;
    let present = file.len()?;
    if present > capacity {
        file.set_len(capacity)?;
    }
    zero(&*file, present, capacity)?;
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()?;
    let path = dir.join(segment_name(header.sequence));
    files.rename(&unfinished, &path)?;
    files.sync_dir(dir)?;
    // A simulated file may be known by its name.
    let file = files.open(&path, OpenMode::Existing)?;
    Ok(Segment { path, header, capacity, file })
}

/// Writes zeros: a write into space that is only reserved costs twice as much.
fn zero(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min(to.saturating_sub(from) as usize)];
    let mut offset = from;
    while offset < to {
        let count = zeros.len().min((to - offset) as usize);
        file.write_all_at(&zeros[..count], offset)?;
        offset += count as u64;
    }
    Ok(())
}

/// Puts a copy of the first `length` bytes in the place of the file at `path`.
///
/// What recovery read may be in the system's cache alone, left there by a flush that failed: a
/// later sync of the same file would not write it again. A copy is written for certain.
pub fn rewrite(
    files: &dyn FileSystem,
    dir: &Path,
    path: &Path,
    content: &[u8],
    sequence: u64,
) -> io::Result<()> {
    let unfinished = dir.join(unfinished_name(sequence));
    let file = files.open(&unfinished, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(content, 0)?;
    file.sync_all()?;
    drop(file);
    files.rename(&unfinished, path)?;
    files.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_sort_by_number() {
        for sequence in [1, 9, 10, u64::MAX] {
            assert_eq!(segment_sequence(&segment_name(sequence)), Some(sequence));
        }
        assert!(segment_name(9) < segment_name(10));
        for name in ["segment-1.log", "lock", &unfinished_name(3), "segment-.log"] {
            assert_eq!(segment_sequence(name), None);
        }
    }
}
