//! Writes and syncs in one call, on the writer's own thread.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use crate::backend::{Device, Ended, open_for_writing};
use crate::writer::Flush;

/// One flush at a time: `pwritev2(RWF_DSYNC)` where there is one, else write and sync.
#[derive(Debug)]
pub struct Threads {
    direct: bool,
    /// The segment that is open.
    open: Option<(u64, File)>,
    one_call: bool,
    ended: VecDeque<Ended>,
}

impl Threads {
    pub fn new(direct: bool) -> Self {
        let one_call = cfg!(all(target_os = "linux", not(target_env = "uclibc")));
        Self { direct, open: None, one_call, ended: VecDeque::new() }
    }

    fn write(&mut self, flush: &Flush) -> io::Result<()> {
        let sequence = flush.segment.header.sequence;
        let file = match &mut self.open {
            Some((open, file)) if *open == sequence => file,
            open => {
                let file = open_for_writing(&flush.segment.path, self.direct)?;
                &mut open.insert((sequence, file)).1
            }
        };
        write_durable(file, flush.buffer.bytes(), flush.offset, &mut self.one_call)
    }
}

#[cfg(target_os = "linux")]
fn write_durable(
    file: &File,
    mut bytes: &[u8],
    mut offset: u64,
    one_call: &mut bool,
) -> io::Result<()> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};

    while *one_call && !bytes.is_empty() {
        match pwritev2(file, &[io::IoSlice::new(bytes)], offset, ReadWriteFlags::DSYNC) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            // Refused before anything was written: an old kernel, or a file system without it.
            Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => *one_call = false,
            Err(errno) => return Err(errno.into()),
        }
    }
    if bytes.is_empty() {
        return Ok(());
    }
    write_then_sync(file, bytes, offset)
}

#[cfg(not(target_os = "linux"))]
fn write_durable(file: &File, bytes: &[u8], offset: u64, _one_call: &mut bool) -> io::Result<()> {
    write_then_sync(file, bytes, offset)
}

fn write_then_sync(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;

    file.write_all_at(bytes, offset)?;
    file.sync_data()
}

impl Device for Threads {
    fn depth(&self) -> usize {
        1
    }

    fn submit(&mut self, flush: Flush) {
        let result = self.write(&flush);
        self.ended.push_back(Ended { number: flush.number, buffer: flush.buffer, result });
    }

    fn wait(&mut self) -> Ended {
        match self.ended.pop_front() {
            Some(ended) => ended,
            None => Ended {
                number: 0,
                buffer: Default::default(),
                result: Err(io::Error::other("no flush was submitted")),
            },
        }
    }
}
