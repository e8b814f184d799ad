//! A disk that forgets what nobody asked it to keep.
//!
//! 1. What programs see of a file and what is durable of it are two contents. A sync makes them
//!    equal; until then each change waits.
//! 2. At a power loss every sector of every waiting write survives or not by itself, and so does
//!    every waiting change of length: disks and kernels keep no order between two syncs.
//! 3. Names live in a journal, as file systems keep them: a sync of a folder makes durable all
//!    changes of names up to the last that concerns the folder; a power loss keeps those, and of
//!    the later ones some number of the oldest. A file's sync says nothing about its name.
//! 4. After a power loss every handle of before is dead, and so is every lock.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: u64 = 512;

/// The files of one host. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) state: Arc<Mutex<State>>,
}

/// What happened to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Syncs of files.
    pub syncs: u64,
    /// Changes that waited when the power went and were lost, wholly or in part.
    pub torn_changes: u64,
    /// Folders that got another name: a node installs a snapshot so.
    pub folders_renamed: u64,
}

#[derive(Debug)]
pub(super) struct State {
    /// Counts power losses; handles belong to one epoch.
    pub epoch: u64,
    pub counts: DiskCounts,
    /// Of files in a folder of this name, data is never synced, whatever the disk says.
    pub lying_folder: Option<String>,
    names: Names,
    durable: Names,
    journal: Vec<NameChange>,
    random: SmallRng,
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Folder,
    File(Arc<Mutex<Inode>>),
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn concerns(&self, folder: &Path) -> bool {
        let inside = |path: &Path| path == folder || path.parent() == Some(folder);
        match self {
            Self::Create(path, _) | Self::Remove(path) => inside(path),
            Self::Rename(from, to) => inside(from) || inside(to),
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create(path, node) => {
                names.insert(path.clone(), node.clone());
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                let moved: Vec<_> =
                    names.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in moved {
                    let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
                    let target =
                        if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    if let Some(node) = names.remove(&path) {
                        names.insert(target, node);
                    }
                }
            }
        }
    }
}

/// A file, under whatever name. (1)
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub content: Vec<u8>,
    durable: Vec<u8>,
    waiting: Vec<Change>,
    /// The handle that holds SQLite's lock.
    pub locked_by: Option<u64>,
}

#[derive(Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

impl Inode {
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        write(&mut self.content, offset, bytes);
        self.waiting.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub fn set_length(&mut self, length: u64) {
        self.content.resize(length as usize, 0);
        self.waiting.push(Change::Length(length));
    }

    pub fn sync(&mut self) {
        for change in self.waiting.drain(..) {
            match change {
                Change::Write { offset, bytes } => write(&mut self.durable, offset, &bytes),
                Change::Length(length) => self.durable.resize(length as usize, 0),
            }
        }
    }

    /// (2). Gives the number of changes that did not survive whole.
    fn lose_power(&mut self, random: &mut SmallRng) -> u64 {
        // Some losses take all, some nothing, some tear: otherwise large writes always tear.
        let survival = [0.0, 0.5, 0.9, 1.0][random.random_range(0..4)];
        let mut torn = 0;
        for change in std::mem::take(&mut self.waiting) {
            let mut whole = true;
            match change {
                Change::Length(length) if random.random_bool(survival) => {
                    self.durable.resize(length as usize, 0);
                }
                Change::Length(_) => whole = false,
                Change::Write { offset, bytes } => {
                    for (start, sector) in sectors(offset, &bytes) {
                        if random.random_bool(survival) {
                            write(&mut self.durable, start, sector);
                        } else {
                            whole = false;
                        }
                    }
                }
            }
            torn += u64::from(!whole);
        }
        self.content.clone_from(&self.durable);
        self.locked_by = None; // (4)
        torn
    }
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// The parts of a write that lie in different sectors, with their offsets.
fn sectors(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        let start = offset + at as u64;
        let room = (SECTOR_BYTES - start % SECTOR_BYTES) as usize;
        let sector = &bytes[at..bytes.len().min(at + room)];
        at += sector.len();
        Some((start, sector))
    })
}

impl Disk {
    /// An empty disk whose losses follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let root = Names::from([(PathBuf::from("/"), Node::Folder)]);
        let state = State {
            epoch: 0,
            counts: DiskCounts::default(),
            lying_folder: None,
            names: root.clone(),
            durable: root,
            journal: Vec::new(),
            random: SmallRng::seed_from_u64(seed),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// From now on, `sync_data` of files in folders of this name does nothing and says that all is
    /// well.
    pub fn lie_about(&self, folder: &str) {
        self.state.lock().lying_folder = Some(folder.to_owned());
    }

    /// The power goes: only what is durable stays, and some of what was on its way.
    pub fn lose_power(&self) {
        let state = &mut *self.state.lock();
        state.epoch += 1; // (4)
        let survivors = state.random.random_range(0..=state.journal.len());
        for change in state.journal.drain(..).take(survivors) {
            change.apply(&mut state.durable); // (3)
        }
        state.names = state.durable.clone();
        for node in state.names.values() {
            if let Node::File(inode) = node {
                state.counts.torn_changes += inode.lock().lose_power(&mut state.random);
            }
        }
    }

    /// A process dies or ends: its handles and locks go, and what it wrote is still on its way.
    pub fn end_process(&self) {
        let state = &mut *self.state.lock();
        state.epoch += 1;
        for node in state.names.values() {
            if let Node::File(inode) = node {
                inode.lock().locked_by = None;
            }
        }
    }

    /// True while something was written and is not durable.
    pub fn is_busy(&self) -> bool {
        let state = self.state.lock();
        let waits = |node: &Node| matches!(node, Node::File(it) if !it.lock().waiting.is_empty());
        !state.journal.is_empty() || state.names.values().any(waits)
    }

    /// What happened to the disk so far.
    pub fn counts(&self) -> DiskCounts {
        self.state.lock().counts
    }
}

impl State {
    pub fn node(&self, path: &Path) -> Option<&Node> {
        self.names.get(path)
    }

    pub fn children(&self, folder: &Path) -> impl Iterator<Item = &Path> {
        self.names.keys().map(PathBuf::as_path).filter(move |path| path.parent() == Some(folder))
    }

    pub fn folder(&self, path: &Path) -> io::Result<()> {
        match self.node(path) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub fn create(&mut self, path: &Path, node: Node) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("/")))?;
        self.change(NameChange::Create(path.to_owned(), node));
        Ok(())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.folder(to.parent().unwrap_or(Path::new("/")))?;
        match (self.node(from), self.node(to)) {
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
            (Some(Node::Folder), Some(Node::File(_))) => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            (Some(Node::File(_)), Some(Node::Folder)) => {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            (Some(Node::Folder), Some(Node::Folder)) if self.children(to).next().is_some() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            (Some(Node::Folder), _) => self.counts.folders_renamed += 1,
            (Some(Node::File(_)), _) => {}
        }
        self.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub fn remove(&mut self, path: &Path) {
        self.change(NameChange::Remove(path.to_owned()));
    }

    /// (3)
    pub fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.folder(folder)?;
        let last = self.journal.iter().rposition(|change| change.concerns(folder));
        for change in self.journal.drain(..last.map_or(0, |last| last + 1)) {
            change.apply(&mut self.durable);
        }
        Ok(())
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.journal.push(change);
    }
}
