//! Segments made ready before they are needed, out of purged ones where there are some.
//!
//! 1. Segments are handed out in the order of their numbers.
//! 2. A purged file loses its name, durably, before the one after it does.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::Env;
use parking_lot::{Condvar, Mutex};

use crate::format::SegmentHeader;
use crate::segment::{Segment, prepare, unfinished_name};

/// The supply of segments.
#[derive(Debug)]
pub struct Pool {
    env: Env,
    dir: PathBuf,
    block_bytes: usize,
    segment_bytes: u64,
    spare_segments: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Segment>,
    /// Files that nobody needs any more.
    purged: VecDeque<PathBuf>,
    next_sequence: u64,
    /// A thread is at work; without it, whoever needs a segment makes it.
    threaded: bool,
    /// The writer waits.
    demanded: bool,
    failure: Option<io::Error>,
    stopping: bool,
}

impl State {
    fn excess(&mut self, keep: usize) -> Option<PathBuf> {
        if self.purged.len() > keep { self.purged.pop_front() } else { None }
    }
}

impl Pool {
    pub fn new(
        env: &Env,
        dir: PathBuf,
        block_bytes: usize,
        segment_bytes: u64,
        spare_segments: usize,
        next_sequence: u64,
        purged: Vec<PathBuf>,
    ) -> Self {
        let state = State { next_sequence, purged: purged.into(), ..State::default() };
        Self {
            env: env.clone(),
            dir,
            block_bytes,
            segment_bytes,
            spare_segments,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Gives files back whose entries are purged for good, oldest first.
    pub fn give_back(&self, paths: Vec<PathBuf>) {
        self.state.lock().purged.extend(paths);
        self.changed.notify_all();
    }

    /// The next segment, made now if none is ready.
    pub fn take(&self) -> io::Result<Segment> {
        let mut state = self.state.lock();
        if !state.threaded {
            if state.ready.is_empty() {
                drop(state);
                self.prepare_one()?;
                state = self.state.lock();
            }
            return state.ready.pop_front().ok_or_else(|| io::ErrorKind::NotFound.into());
        }
        // An attempt that failed when nobody waited is made again now.
        state.failure = None;
        loop {
            if let Some(segment) = state.ready.pop_front() {
                state.demanded = false;
                self.changed.notify_all();
                return Ok(segment);
            }
            if let Some(error) = state.failure.take() {
                return Err(error);
            }
            state.demanded = true;
            self.changed.notify_all();
            self.changed.wait(&mut state);
        }
    }

    /// True when `work_off` has something to do.
    pub fn has_work(&self) -> bool {
        let state = self.state.lock();
        !state.stopping
            && (state.ready.len() < self.spare_segments || state.purged.len() > self.spare_segments)
    }

    /// Fills the supply up and removes what is too much.
    pub fn work_off(&self) -> io::Result<()> {
        while self.state.lock().ready.len() < self.spare_segments {
            self.prepare_one()?;
        }
        while let Some(path) = self.next_excess() {
            self.remove(&path)?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.env.files.remove(path)?;
        // (2)
        self.env.files.sync_dir(&self.dir)
    }

    /// A purged file to remove: a few are kept, to be made segments again.
    fn next_excess(&self) -> Option<PathBuf> {
        self.state.lock().excess(self.spare_segments)
    }

    /// Makes one more segment ready.
    pub fn prepare_one(&self) -> io::Result<()> {
        let (sequence, purged) = {
            let mut state = self.state.lock();
            state.next_sequence += 1;
            (state.next_sequence - 1, state.purged.pop_front())
        };
        let files = &*self.env.files;
        let used = match purged {
            None => None,
            Some(path) => {
                let unfinished = self.dir.join(unfinished_name(sequence));
                files.rename(&path, &unfinished)?;
                // (2)
                files.sync_dir(&self.dir)?;
                Some(unfinished)
            }
        };
        let salt = self.env.entropy.next();
        let header = SegmentHeader { block_bytes: self.block_bytes, sequence, salt };
        let segment = prepare(files, &self.dir, used.as_deref(), header, self.segment_bytes)?;
        self.state.lock().ready.push_back(segment);
        self.changed.notify_all();
        Ok(())
    }

    /// Starts the thread that keeps the supply up.
    pub fn start(self: &Arc<Self>) -> io::Result<std::thread::JoinHandle<()>> {
        self.state.lock().threaded = true;
        let pool = self.clone();
        std::thread::Builder::new().name("log-segments".to_owned()).spawn(move || pool.run())
    }

    /// Ends that thread, and all work ahead of need.
    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stopping {
            let needed = if state.demanded { 1 } else { 0 }.max(self.spare_segments);
            let result = if state.failure.is_some() {
                self.changed.wait(&mut state);
                continue;
            } else if state.ready.len() < needed {
                drop(state);
                self.prepare_one()
            } else if let Some(path) = state.excess(self.spare_segments) {
                drop(state);
                self.remove(&path)
            } else {
                self.changed.wait(&mut state);
                continue;
            };
            state = self.state.lock();
            if let Err(error) = result {
                tracing::warn!(dir = %self.dir.display(), %error, "cannot prepare a log segment");
                state.failure = Some(error);
                self.changed.notify_all();
            }
        }
    }
}
