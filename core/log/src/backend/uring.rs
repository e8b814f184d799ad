//! A ring of the kernel: linked write and fdatasync, several flushes in flight.
//!
//! 1. A buffer that the kernel may read is owned by the ring, unchanged, until both completions of
//!    its flush have come.
//! 2. Of a linked pair the sync runs only if all bytes were written: a short write breaks the
//!    link, and the sync ends with `ECANCELED`.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;

use io_uring::{IoUring, opcode, squeue, types};

use crate::backend::{Alignment, Device, Ended, ProbeFile, open_for_writing};
use crate::buffer::Buffer;
use crate::writer::Flush;

/// Flushes in flight: four of them double the flushes per second, more gain little.
const DEPTH: usize = 4;
const WRITE: u64 = 0;
const SYNC: u64 = 1;

/// A ring that is used by one thread.
pub struct Ring {
    ring: IoUring,
    direct: bool,
    /// The segment that is open.
    open: Option<(u64, Arc<File>)>,
    running: Vec<Running>,
    ended: VecDeque<Ended>,
    /// The ring itself failed: it takes nothing more.
    broken: bool,
}

/// What the kernel works on.
struct Running {
    number: u64,
    buffer: Buffer,
    /// Keeps the descriptor open.
    _file: Arc<File>,
    awaited: u8,
    result: io::Result<()>,
}

impl Ring {
    /// A ring that has written and synced one block of a file in `dir`.
    ///
    /// # Errors
    /// Whatever stands in the way: no such call, denied, no memory to lock.
    pub fn probe(dir: &Path, alignment: Alignment) -> io::Result<Self> {
        let mut ring = Self::new(alignment.direct)?;
        let probe = ProbeFile::create(dir)?;
        let file = Arc::new(open_for_writing(&probe.path, alignment.direct)?);
        let mut buffer = Buffer::default();
        buffer.reset(alignment.block_bytes);
        buffer.extend(b"probe");
        buffer.pad(alignment.block_bytes);
        ring.submit_to(file, 1, 0, buffer);
        let ended = ring.wait();
        ended.result?;
        match std::fs::read(&probe.path)? == ended.buffer.bytes() {
            true => Ok(ring),
            false => Err(io::Error::other("the ring did not write what it was given")),
        }
    }

    fn new(direct: bool) -> io::Result<Self> {
        let ring = IoUring::new(4 * DEPTH as u32)?;
        Ok(Self {
            ring,
            direct,
            open: None,
            running: Vec::new(),
            ended: VecDeque::new(),
            broken: false,
        })
    }

    fn file(&mut self, flush: &Flush) -> io::Result<Arc<File>> {
        let sequence = flush.segment.header.sequence;
        if let Some((open, file)) = &self.open
            && *open == sequence
        {
            return Ok(file.clone());
        }
        let file = Arc::new(open_for_writing(&flush.segment.path, self.direct)?);
        self.open = Some((sequence, file.clone()));
        Ok(file)
    }

    fn submit_to(&mut self, file: Arc<File>, number: u64, offset: u64, buffer: Buffer) {
        if self.broken {
            let result = Err(io::Error::other("the ring has failed"));
            return self.ended.push_back(Ended { number, buffer, result });
        }
        let descriptor = types::Fd(file.as_raw_fd());
        let bytes = buffer.bytes();
        let write = opcode::Write::new(descriptor, bytes.as_ptr(), bytes.len() as u32)
            .offset(offset)
            .build()
            .flags(squeue::Flags::IO_LINK)
            .user_data(number << 1 | WRITE);
        let sync = opcode::Fsync::new(descriptor)
            .flags(types::FsyncFlags::DATASYNC)
            .build()
            .user_data(number << 1 | SYNC);
        self.running.push(Running { number, buffer, _file: file, awaited: 2, result: Ok(()) });
        // SAFETY: (1) the buffer's memory and the file were just moved into `running`, which moves
        // neither the buffer's heap memory nor the descriptor, and leave it only in `reap`, when
        // both completions have come; `drop` waits for them too, or leaks the buffers.
        let pushed = unsafe { self.ring.submission().push_multiple(&[write, sync]) };
        if pushed.is_err() {
            // Nothing was pushed, so nothing will come. At most DEPTH pairs are ever there, and
            // the queue holds twice as many.
            self.abandon(number, io::Error::other("the ring is full"));
            return;
        }
        if let Err(error) = self.ring.submit()
            && error.raw_os_error() != Some(rustix::io::Errno::INTR.raw_os_error())
            && error.raw_os_error() != Some(rustix::io::Errno::AGAIN.raw_os_error())
            && error.raw_os_error() != Some(rustix::io::Errno::BUSY.raw_os_error())
        {
            self.break_down(error);
        }
    }

    /// Ends a flush of which the kernel knows nothing.
    fn abandon(&mut self, number: u64, error: io::Error) {
        if let Some(at) = self.running.iter().position(|running| running.number == number) {
            let Running { number, buffer, .. } = self.running.remove(at);
            self.ended.push_back(Ended { number, buffer, result: Err(error) });
        }
    }

    /// Ends all flushes without knowing what the kernel still does with them: (1) their buffers
    /// are leaked.
    fn break_down(&mut self, error: io::Error) {
        self.broken = true;
        for running in self.running.drain(..) {
            let result = Err(io::Error::new(error.kind(), error.to_string()));
            self.ended.push_back(Ended {
                number: running.number,
                buffer: Buffer::default(),
                result,
            });
            std::mem::forget(running);
        }
    }

    /// Takes completions in.
    fn reap(&mut self) {
        let completions: Vec<_> = self.ring.completion().collect();
        for completion in completions {
            let (number, call) = (completion.user_data() >> 1, completion.user_data() & 1);
            let Some(at) = self.running.iter().position(|running| running.number == number) else {
                continue;
            };
            let running = &mut self.running[at];
            running.awaited -= 1;
            let outcome = match completion.result() {
                code if code < 0 => Err(io::Error::from_raw_os_error(-code)),
                // (2)
                count if call == WRITE && count as usize != running.buffer.len() => {
                    Err(io::ErrorKind::WriteZero.into())
                }
                _ => Ok(()),
            };
            // The write's error says more than that the sync was cancelled.
            if running.result.is_ok() || (call == WRITE && outcome.is_err()) {
                running.result = outcome;
            }
            if running.awaited == 0 {
                let Running { number, buffer, result, .. } = self.running.swap_remove(at);
                self.ended.push_back(Ended { number, buffer, result });
            }
        }
    }

    /// Waits for at least one completion.
    fn await_completion(&mut self) {
        match self.ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted
                        | io::ErrorKind::WouldBlock
                        | io::ErrorKind::ResourceBusy
                ) => {}
            Err(error) => return self.break_down(error),
        }
        self.reap();
    }
}

impl Device for Ring {
    fn depth(&self) -> usize {
        DEPTH
    }

    fn submit(&mut self, flush: Flush) {
        match self.file(&flush) {
            Ok(file) => self.submit_to(file, flush.number, flush.offset, flush.buffer),
            Err(error) => {
                let Flush { number, buffer, .. } = flush;
                self.ended.push_back(Ended { number, buffer, result: Err(error) });
            }
        }
    }

    fn wait(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended.pop_front() {
                return ended;
            }
            if self.running.is_empty() {
                let result = Err(io::Error::other("no flush was submitted"));
                return Ended { number: 0, buffer: Buffer::default(), result };
            }
            self.await_completion();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // (1)
        while !self.running.is_empty() {
            self.await_completion();
        }
    }
}
