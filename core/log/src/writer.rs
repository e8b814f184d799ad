//! Group commit: turns what waits into batches, and what was flushed into completions.
//!
//! 1. Completions fire in the order of the requests, each after all bytes of its request, and of
//!    every request before it, are durable.
//! 2. After the first error nothing is written any more and every completion gets that error.
//!    Nothing is retried: what a failed flush left behind cannot be known.
//! 3. A segment is left only when all its batches are durable, so at most the newest segment that
//!    has batches ends in an unfinished one.
//! 4. A segment is given up only when everything in it is covered by a purge that is durable, and
//!    the segment after it has a durable batch.
//!
//! The writer does no I/O but taking segments from the pool. A driver asks it for the next flush,
//! carries that to the disk, and tells it the outcome.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::Instant;

use crate::batch::{Record, encode_batch};
use crate::buffer::Buffer;
use crate::entry::{Completion, Position, Vote};
use crate::format::{BATCH_HEADER_BYTES, BatchHeader, Opening};
use crate::index::Place;
use crate::pool::Pool;
use crate::scan::Link;
use crate::segment::Segment;
use crate::shared::{Command, Failure, Shared};

/// Bytes to be made durable.
#[derive(Debug)]
pub struct Flush {
    /// Names the flush; rises by one.
    pub number: u64,
    pub segment: Arc<Segment>,
    /// Where in the segment, in bytes.
    pub offset: u64,
    pub buffer: Buffer,
}

/// A flush that a driver has.
struct InFlight {
    number: u64,
    started: Instant,
    bytes: usize,
    batch: Contents,
    result: Option<io::Result<()>>,
}

/// What becomes true when a batch is durable.
#[derive(Default)]
struct Contents {
    entries: usize,
    vote: Option<Vote>,
    purged: Option<Position>,
    done: Vec<Completion>,
}

/// A segment that may hold entries that are needed.
#[derive(Debug)]
pub struct Live {
    pub sequence: u64,
    pub path: PathBuf,
    /// The last position before it.
    pub previous: Option<Position>,
}

/// Where a writer goes on.
#[derive(Debug)]
pub struct Resume {
    pub link: Link,
    pub state: Opening,
    pub live: VecDeque<Live>,
}

/// The pure part of writing.
pub struct Writer {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    batch_bytes_max: usize,
    cache_bytes: usize,
    active: Option<(Arc<Segment>, u64)>,
    /// The last batch that was encoded.
    link: Link,
    /// The last batch that is durable.
    durable: u64,
    /// The state of the log after everything that was encoded.
    encoded: Opening,
    /// The last purged position that is durable.
    purged: Option<Position>,
    live: VecDeque<Live>,
    in_flight: VecDeque<InFlight>,
    buffers: Vec<Buffer>,
    failure: Option<Failure>,
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        pool: Arc<Pool>,
        resume: Resume,
        batch_bytes_max: usize,
        cache_bytes: usize,
    ) -> Self {
        Self {
            shared,
            pool,
            batch_bytes_max,
            cache_bytes,
            active: None,
            durable: resume.link.sequence,
            link: resume.link,
            purged: resume.state.purged,
            encoded: resume.state,
            live: resume.live,
            in_flight: VecDeque::new(),
            buffers: Vec::new(),
            failure: None,
        }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// How many flushes the driver has.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The next flush of what waits. `None` when nothing can be begun now: because nothing waits,
    /// or what waits needs that the flushes in flight end first.
    pub fn next(&mut self, pending: &mut VecDeque<Command>) -> Option<Flush> {
        self.pass_empty(pending);
        if self.failure.is_none() {
            match self.begin(pending) {
                Ok(flush) => return flush,
                Err(error) => self.fail(&error),
            }
        }
        self.reject(pending);
        None
    }

    /// Answers appends of nothing, which only wait for what is before them.
    fn pass_empty(&mut self, pending: &mut VecDeque<Command>) {
        while self.failure.is_none()
            && let Some(Command::Append { entries, .. }) = pending.front()
            && entries.is_empty()
            && let Some(Command::Append { done, .. }) = pending.pop_front()
        {
            match self.in_flight.back_mut() {
                Some(last) => last.batch.done.push(done),
                None => done(Ok(())),
            }
        }
    }

    fn begin(&mut self, pending: &mut VecDeque<Command>) -> io::Result<Option<Flush>> {
        let Some(front) = pending.front() else {
            return Ok(None);
        };
        let Some(first_bytes) = front.record_bytes() else {
            // A request that breaks the rules fails the log, after those before it are settled.
            let Command::Reject(reason, _) = front else {
                return Ok(None);
            };
            return match self.in_flight.is_empty() {
                true => Err(io::Error::new(io::ErrorKind::InvalidInput, *reason)),
                false => Ok(None),
            };
        };
        let mut records = Vec::new();
        let mut length = BATCH_HEADER_BYTES + first_bytes;
        if !self.fits(length) {
            // (3)
            if !self.in_flight.is_empty() {
                return Ok(None);
            }
            self.take_segment()?;
            let opening = Record::Opening(self.encoded);
            length += opening.stored_bytes();
            records.push((opening, 0));
        }
        let Some((segment, offset)) = self.active.clone() else {
            return Ok(None);
        };
        let room = segment.capacity.saturating_sub(offset) as usize;
        let length_max = self.batch_bytes_max.min(room).max(length);
        let mut contents = Contents::default();
        length -= first_bytes;
        while let Some(bytes) = pending.front().and_then(Command::record_bytes)
            && length + bytes <= length_max
            && let Some(record) = contents.take_record(pending)
        {
            length += bytes;
            self.encoded.pass(&record.0);
            records.push(record);
        }
        Ok(Some(self.encode(segment, offset, records, contents)))
    }

    fn fits(&self, length: usize) -> bool {
        self.active.as_ref().is_some_and(|(segment, offset)| {
            offset + length.next_multiple_of(segment.header.block_bytes) as u64 <= segment.capacity
        })
    }

    fn take_segment(&mut self) -> io::Result<()> {
        let segment = Arc::new(self.pool.take()?);
        let sequence = segment.header.sequence;
        let previous = self.encoded.previous;
        self.live.push_back(Live { sequence, path: segment.path.clone(), previous });
        self.active = Some((segment.clone(), segment.header.block_bytes as u64));
        let mut inner = self.shared.inner.lock();
        inner.segments.insert(sequence, segment);
        inner.metrics.segments += 1;
        Ok(())
    }

    fn encode(
        &mut self,
        segment: Arc<Segment>,
        offset: u64,
        records: Vec<(Record, u64)>,
        batch: Contents,
    ) -> Flush {
        let (records, serials): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let number = self.link.sequence + 1;
        let header = BatchHeader {
            length: 0,
            record_count: 0,
            previous_crc: self.link.crc,
            sequence: number,
            durable: self.durable,
            committed: self.shared.inner.lock().committed,
        };
        let mut buffer = self.buffers.pop().unwrap_or_default();
        let segment_header = segment.header;
        let (crc, spans) = encode_batch(&mut buffer, header, &segment_header, &records);
        self.link = Link { sequence: number, crc };
        let mut inner = self.shared.inner.lock();
        for ((record, serial), span) in records.iter().zip(serials).zip(spans) {
            if let Record::Entry(entry) = record {
                let place = Place {
                    segment: segment_header.sequence,
                    offset: offset + span.offset as u64,
                    length: span.length,
                    batch: number,
                };
                inner.index.place(entry.position.index, serial, place);
            }
        }
        drop(inner);
        let bytes = buffer.len();
        self.active = Some((segment.clone(), offset + bytes as u64));
        let started = Instant::now();
        self.in_flight.push_back(InFlight { number, started, bytes, batch, result: None });
        Flush { number, segment, offset, buffer }
    }

    /// Flush `number` has ended; `buffer` may be used again.
    pub fn complete(&mut self, number: u64, buffer: Buffer, result: io::Result<()>) {
        if buffer.capacity() <= self.batch_bytes_max.next_power_of_two() {
            self.buffers.push(buffer);
        }
        if let Some(flush) = self.in_flight.iter_mut().find(|flush| flush.number == number) {
            flush.result = Some(result);
        }
        // (1)
        while let Some(flush) = self.in_flight.pop_front_if(|flush| flush.result.is_some()) {
            match flush.result {
                Some(Err(error)) if self.failure.is_none() => self.fail(&error),
                _ => {}
            }
            match &self.failure {
                None => self.release(flush.number, flush.bytes, flush.started, flush.batch),
                // (2)
                Some(failure) => {
                    flush.batch.done.into_iter().for_each(|done| done(Err(failure.error())));
                }
            }
        }
    }

    fn release(&mut self, number: u64, bytes: usize, started: Instant, batch: Contents) {
        debug_assert_eq!(number, self.durable + 1);
        self.durable = number;
        let mut inner = self.shared.inner.lock();
        inner.settle(number);
        inner.vote = batch.vote.or(inner.vote);
        inner.metrics.flushed(batch.entries, bytes, started.elapsed());
        let durable = inner.durable;
        inner.index.evict(self.cache_bytes, durable);
        self.shared.publish_durable(durable);
        drop(inner);
        self.purged = batch.purged.or(self.purged);
        self.give_up_segments();
        batch.done.into_iter().for_each(|done| done(Ok(())));
    }

    /// (4) Gives up segments from the oldest on. One that is being read waits for the next time.
    pub fn give_up_segments(&mut self) {
        let mut paths = Vec::new();
        while let Some(after) = self.live.get(1)
            && after.previous.is_none_or(|previous| {
                self.purged.is_some_and(|purged| previous.index <= purged.index)
            })
        {
            let mut inner = self.shared.inner.lock();
            let sequence = self.live[0].sequence;
            if inner.segments.get(&sequence).is_some_and(|segment| Arc::strong_count(segment) > 1) {
                break;
            }
            inner.segments.remove(&sequence);
            paths.extend(self.live.pop_front().map(|live| live.path));
        }
        if !paths.is_empty() {
            self.pool.give_back(paths);
        }
    }

    /// (2) Nothing more will be written.
    fn fail(&mut self, error: &io::Error) {
        tracing::error!(%error, "the log has failed");
        let failure = Failure::new(error);
        self.failure = Some(failure.clone());
        self.pool.stop();
        self.shared.progress.send_modify(|progress| progress.failure = Some(failure));
    }

    /// (1, 2) Answers what waits with the failure, once everything before it was answered.
    fn reject(&mut self, pending: &mut VecDeque<Command>) {
        if let Some(failure) = &self.failure
            && self.in_flight.is_empty()
        {
            for done in pending.drain(..).filter_map(Command::into_completion) {
                done(Err(failure.error()));
            }
        }
    }
}

impl Contents {
    /// Takes the next record of what waits, with the serial number of an entry.
    fn take_record(&mut self, pending: &mut VecDeque<Command>) -> Option<(Record, u64)> {
        if let Some(Command::Append { entries, .. }) = pending.front_mut() {
            let (serial, entry) = entries.pop_front()?;
            self.entries += 1;
            if entries.is_empty() {
                self.done.extend(pending.pop_front().and_then(Command::into_completion));
            }
            return Some((Record::Entry(entry), serial));
        }
        let (record, done) = match pending.pop_front()? {
            Command::Vote(vote, done) => {
                self.vote = Some(vote);
                (Record::Vote(vote), done)
            }
            Command::Truncate(keep, done) => (Record::Truncate(keep), done),
            Command::Purge(upto) => {
                self.purged = Some(upto);
                return Some((Record::Purge(upto), 0));
            }
            Command::Append { .. } | Command::Reject(..) => return None,
        };
        self.done.push(done);
        Some((record, 0))
    }
}

impl Command {
    /// What the request's next record takes; `None` for a request without one.
    fn record_bytes(&self) -> Option<usize> {
        match self {
            Self::Append { entries, .. } => {
                entries.front().map(|(_, entry)| Record::entry_bytes(entry))
            }
            Self::Vote(vote, _) => Some(Record::Vote(*vote).stored_bytes()),
            Self::Truncate(keep, _) => Some(Record::Truncate(*keep).stored_bytes()),
            Self::Purge(upto) => Some(Record::Purge(*upto).stored_bytes()),
            Self::Reject(..) => None,
        }
    }

    fn into_completion(self) -> Option<Completion> {
        match self {
            Self::Append { done, .. }
            | Self::Vote(_, done)
            | Self::Truncate(_, done)
            | Self::Reject(_, done) => Some(done),
            Self::Purge(_) => None,
        }
    }
}

impl Opening {
    /// The state after `record`.
    fn pass(&mut self, record: &Record) {
        match record {
            Record::Opening(_) => {}
            Record::Entry(entry) => self.previous = Some(entry.position),
            Record::Vote(vote) => self.vote = Some(*vote),
            Record::Truncate(keep) => self.previous = *keep,
            Record::Purge(upto) => {
                self.purged = Some(*upto);
                if self.previous.is_none_or(|previous| previous.index <= upto.index) {
                    self.previous = Some(*upto);
                }
            }
        }
    }
}
