//! Files in memory that can be lost, torn, refused and held up.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use dqlite_env::{Blocking, Entropy, Env, File, FileSystem, OpenMode, RealNetwork};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const SECTOR_BYTES: usize = 512;

type Names = BTreeMap<PathBuf, Arc<Content>>;

/// A tree of files that remembers what was synced.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    state: Arc<Mutex<Names>>,
    durable: Arc<Mutex<Names>>,
    pub faults: Arc<Faults>,
}

#[derive(Debug, Default)]
pub struct Content {
    bytes: Mutex<Vec<u8>>,
    durable: Mutex<Vec<u8>>,
}

/// What goes wrong.
#[derive(Debug, Default)]
pub struct Faults {
    knobs: Mutex<Knobs>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct Knobs {
    fail_writes: bool,
    fail_syncs: bool,
    hold_syncs: bool,
    held: usize,
    writes: usize,
    syncs: usize,
}

impl Faults {
    pub fn fail_writes(&self, on: bool) {
        self.knobs.lock().unwrap().fail_writes = on;
    }

    pub fn fail_syncs(&self, on: bool) {
        self.knobs.lock().unwrap().fail_syncs = on;
    }

    /// Holds `sync_data` up until it is called with `false`.
    pub fn hold_syncs(&self, on: bool) {
        self.knobs.lock().unwrap().hold_syncs = on;
        self.opened.notify_all();
    }

    /// Waits until a `sync_data` is held up.
    pub fn wait_held(&self) {
        let mut knobs = self.knobs.lock().unwrap();
        while knobs.held == 0 {
            knobs = self.opened.wait(knobs).unwrap();
        }
    }

    /// How many writes and `sync_data` were begun.
    pub fn counts(&self) -> (usize, usize) {
        let knobs = self.knobs.lock().unwrap();
        (knobs.writes, knobs.syncs)
    }
}

/// An environment around `files`.
pub fn env(files: &MemoryFiles, blocking: Blocking, seed: u64) -> Env {
    Env {
        files: Arc::new(files.clone()),
        network: Arc::new(RealNetwork),
        blocking,
        entropy: Entropy::seeded(seed),
    }
}

impl MemoryFiles {
    /// The files as they are, apart from these.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for (path, content) in &*self.state.lock().unwrap() {
            copy.put(path, content.bytes.lock().unwrap().clone());
        }
        copy
    }

    /// What a power loss leaves: of every sector that was written and not synced, either one.
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let names = match rng.random() {
            true => self.state.lock().unwrap().clone(),
            false => self.durable.lock().unwrap().clone(),
        };
        let lost: f64 = [0.0, 0.1, 0.5, 0.9, 1.0][rng.random_range(0..5)];
        let left = Self::default();
        for (path, content) in &names {
            let mut bytes = content.durable.lock().unwrap().clone();
            let newer = content.bytes.lock().unwrap();
            if !rng.random_bool(lost) {
                bytes.resize(newer.len(), 0);
            }
            for (old, new) in bytes.chunks_mut(SECTOR_BYTES).zip(newer.chunks(SECTOR_BYTES)) {
                if old.len() == new.len() && !rng.random_bool(lost) {
                    old.copy_from_slice(new);
                }
            }
            left.put(path, bytes);
        }
        left
    }

    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let content = Content { durable: Mutex::new(bytes.clone()), bytes: Mutex::new(bytes) };
        let content = Arc::new(content);
        self.state.lock().unwrap().insert(path.to_owned(), content.clone());
        self.durable.lock().unwrap().insert(path.to_owned(), content);
    }

    pub fn get(&self, path: &Path) -> Vec<u8> {
        self.state.lock().unwrap()[path].bytes.lock().unwrap().clone()
    }

    /// The paths of all segments, in order.
    pub fn segments(&self) -> Vec<PathBuf> {
        let names = self.state.lock().unwrap();
        let segment = |path: &&PathBuf| path.to_string_lossy().contains("segment-");
        names.keys().filter(segment).cloned().collect()
    }
}

impl FileSystem for MemoryFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut names = self.state.lock().unwrap();
        let content = match (names.get(path), mode) {
            (Some(_), OpenMode::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (Some(content), _) => content.clone(),
            (None, _) => names.entry(path.to_owned()).or_default().clone(),
        };
        Ok(Arc::new(MemoryFile { content, faults: self.faults.clone() }))
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = self.state.lock().unwrap();
        let inside = names.keys().filter_map(|name| name.strip_prefix(path).ok());
        Ok(inside.map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.state.lock().unwrap();
        let content = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut names = self.state.lock().unwrap();
        names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().unwrap().contains_key(path))
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        *self.durable.lock().unwrap() = self.state.lock().unwrap().clone();
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryFile {
    content: Arc<Content>,
    faults: Arc<Faults>,
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.content.bytes.lock().unwrap();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let mut knobs = self.faults.knobs.lock().unwrap();
        knobs.writes += 1;
        if knobs.fail_writes {
            return Err(io::Error::other("injected: write"));
        }
        let mut bytes = self.content.bytes.lock().unwrap();
        let end = offset as usize + buffer.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(buffer);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content.bytes.lock().unwrap().len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.content.bytes.lock().unwrap().resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut knobs = self.faults.knobs.lock().unwrap();
        knobs.syncs += 1;
        knobs.held += 1;
        self.faults.opened.notify_all();
        while knobs.hold_syncs {
            knobs = self.faults.opened.wait(knobs).unwrap();
        }
        knobs.held -= 1;
        if knobs.fail_syncs {
            return Err(io::Error::other("injected: sync"));
        }
        drop(knobs);
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        *self.content.durable.lock().unwrap() = self.content.bytes.lock().unwrap().clone();
        Ok(())
    }

    fn lock_database(&self) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}
