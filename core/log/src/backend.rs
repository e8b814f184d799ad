//! What carries flushes to the disk.
//!
//! Two loops drive a [`Writer`]: [`run_device`] on a thread, over a [`Device`]; and
//! [`inline::run`] as a task, over the files of the environment.

pub mod inline;
#[cfg(test)]
mod tests;
pub mod threads;
#[cfg(target_os = "linux")]
pub mod uring;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::buffer::Buffer;
use crate::format::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};
use crate::writer::{Flush, Writer};

/// Writes bytes and makes them durable. Real files only.
pub trait Device: Send {
    /// How many flushes it may have at once.
    fn depth(&self) -> usize;
    /// Begins a flush. Every flush that was submitted comes out of `wait` once.
    fn submit(&mut self, flush: Flush);
    /// Waits for any flush to end. Called only while there is one.
    fn wait(&mut self) -> Ended;
}

/// A flush that has ended.
#[derive(Debug)]
pub struct Ended {
    pub number: u64,
    pub buffer: Buffer,
    /// Whether all bytes are durable.
    pub result: io::Result<()>,
}

/// Drives `writer` until its log is closed and everything is answered.
pub fn run_device(writer: &mut Writer, device: &mut dyn Device) {
    let mut pending = VecDeque::new();
    loop {
        let idle = pending.is_empty() && writer.in_flight() == 0;
        if !writer.shared().collect(&mut pending, idle) && pending.is_empty() && idle {
            return;
        }
        while writer.in_flight() < device.depth()
            && let Some(flush) = writer.next(&mut pending)
        {
            device.submit(flush);
        }
        if writer.in_flight() > 0 {
            let ended = device.wait();
            writer.complete(ended.number, ended.buffer, ended.result);
        }
    }
}

/// How files of a folder want to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Batches begin at multiples of this.
    pub block_bytes: usize,
    /// The page cache can be passed by.
    pub direct: bool,
}

impl Alignment {
    /// For files that are written through a cache: a block may be torn, but never one that was
    /// written before.
    pub const CACHED: Self = Self { block_bytes: BLOCK_BYTES_MAX, direct: false };
    /// For files that are not the system's.
    pub const SIMULATED: Self = Self { block_bytes: BLOCK_BYTES_MIN, direct: false };

    /// Asks the file system about `dir` by way of a file in it.
    #[cfg(target_os = "linux")]
    pub fn probe(dir: &Path) -> io::Result<Self> {
        use rustix::fs::{AtFlags, StatxFlags, statx};

        let probe = ProbeFile::create(dir)?;
        let Ok(stat) = statx(&probe.file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) else {
            return Ok(Self::CACHED);
        };
        let offset_align = stat.stx_dio_offset_align as usize;
        let usable = stat.stx_mask & StatxFlags::DIOALIGN.bits() != 0
            && offset_align.is_power_of_two()
            && offset_align <= BLOCK_BYTES_MAX
            && stat.stx_dio_mem_align as usize <= BLOCK_BYTES_MAX;
        Ok(match usable {
            true => Self { block_bytes: offset_align.max(BLOCK_BYTES_MIN), direct: true },
            false => Self::CACHED,
        })
    }

    /// Elsewhere files are written through the cache.
    #[cfg(not(target_os = "linux"))]
    pub fn probe(_dir: &Path) -> io::Result<Self> {
        Ok(Self::CACHED)
    }
}

/// Opens a segment for writing, past the page cache if `direct`.
fn open_for_writing(path: &Path, direct: bool) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(target_os = "linux")]
    if direct {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::DIRECT.bits() as i32);
    }
    let file = options.open(path)?;
    #[cfg(target_os = "linux")]
    if direct {
        // The zeros it was filled with are still cached: while they are, every direct write has
        // to drop its part, and does so on another thread of the kernel. Only advice.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    }
    Ok(file)
}

/// A file that is there for a moment.
struct ProbeFile {
    path: PathBuf,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    file: std::fs::File,
}

impl ProbeFile {
    fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join("unfinished-probe.tmp");
        let file = std::fs::File::create(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for ProbeFile {
    fn drop(&mut self) {
        // Left behind, it is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}
