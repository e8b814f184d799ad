//! The seam to a simulated disk: handles, as a node's files.

use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dqlite_env::{File, FileSystem, OpenMode};
use parking_lot::Mutex;

use super::disk::{Disk, Inode, Node, State};

static NEXT_HANDLE: AtomicU64 = AtomicU64::new(1);

/// A disk as one process sees it, until that process ends or the power goes.
#[derive(Debug)]
pub struct SimulatedFiles {
    disk: Disk,
    epoch: u64,
}

impl SimulatedFiles {
    /// Gives a new process the disk.
    pub fn mount(disk: &Disk) -> Self {
        Self { disk: disk.clone(), epoch: disk.state.lock().epoch }
    }

    fn alive<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.epoch != self.epoch {
            return Err(io::Error::other("the process is gone"));
        }
        call(&mut state)
    }
}

impl FileSystem for SimulatedFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inode = self.alive(|state| match (state.node(path), mode) {
            (Some(Node::Folder), _) => Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), OpenMode::New) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Node::File(inode)), _) => Ok(inode.clone()),
            (None, OpenMode::Existing) => Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Create | OpenMode::New) => {
                let inode = Arc::default();
                state.create(path, Node::File(Arc::clone(&inode)))?;
                Ok(inode)
            }
        })?;
        Ok(Arc::new(Handle {
            number: NEXT_HANDLE.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            disk: self.disk.clone(),
            epoch: self.epoch,
            inode,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.alive(|state| {
            let above: Vec<_> = path.ancestors().collect();
            for folder in above.into_iter().rev() {
                if state.node(folder).is_none() {
                    state.create(folder, Node::Folder)?;
                }
                state.folder(folder)?;
            }
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.alive(|state| {
            state.folder(path)?;
            let names = state.children(path).filter_map(|child| child.file_name());
            Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.alive(|state| state.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.alive(|state| match state.node(path) {
            Some(Node::File(_)) => {
                state.remove(path);
                Ok(())
            }
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.alive(|state| {
            state.folder(path)?;
            if state.children(path).next().is_some() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            state.remove(path);
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.alive(|state| Ok(state.node(path).is_some()))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.alive(|state| state.sync_folder(path))
    }
}

#[derive(Debug)]
struct Handle {
    number: u64,
    /// Where it was opened; the file may have another name by now.
    path: PathBuf,
    disk: Disk,
    epoch: u64,
    inode: Arc<Mutex<Inode>>,
}

impl Handle {
    fn alive<T>(&self, call: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        if self.disk.state.lock().epoch != self.epoch {
            return Err(io::Error::other("the process is gone"));
        }
        Ok(call(&mut self.inode.lock()))
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.alive(|inode| {
            let rest = inode.content.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            count
        })
    }

    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.alive(|inode| inode.write(offset, buffer))
    }

    fn len(&self) -> io::Result<u64> {
        self.alive(|inode| inode.content.len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.alive(|inode| inode.set_length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let lies = {
            let state = self.disk.state.lock();
            let folder = self.path.parent().and_then(Path::file_name);
            state.lying_folder.as_deref().is_some_and(|it| folder.is_some_and(|is| is == it))
        };
        if lies { self.alive(|_| ()) } else { self.sync_all() }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.state.lock().counts.syncs += 1;
        self.alive(Inode::sync)
    }

    fn lock_database(&self) -> io::Result<()> {
        self.alive(|inode| match inode.locked_by {
            Some(holder) if holder != self.number => Err(io::ErrorKind::WouldBlock.into()),
            _ => {
                inode.locked_by = Some(self.number);
                Ok(())
            }
        })?
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut inode = self.inode.lock();
        if inode.locked_by == Some(self.number) {
            inode.locked_by = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (Disk, SimulatedFiles) {
        let disk = Disk::new(1);
        let files = SimulatedFiles::mount(&disk);
        files.create_dir_all(Path::new("/data")).unwrap();
        files.sync_dir(Path::new("/")).unwrap();
        (disk, files)
    }

    fn content(files: &SimulatedFiles, path: &str) -> Option<Vec<u8>> {
        let file = files.open(Path::new(path), OpenMode::Existing).ok()?;
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        Some(bytes)
    }

    #[test]
    fn what_was_synced_survives_and_handles_die() {
        let (disk, files) = disk();
        let file = files.open(Path::new("/data/f"), OpenMode::New).unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        file.sync_data().unwrap();
        files.sync_dir(Path::new("/data")).unwrap();
        file.lock_database().unwrap();
        disk.lose_power();
        assert!(file.write_all_at(b"late", 0).is_err());
        assert!(files.exists(Path::new("/data/f")).is_err());
        let files = SimulatedFiles::mount(&disk);
        assert_eq!(content(&files, "/data/f").unwrap(), b"kept");
        let again = files.open(Path::new("/data/f"), OpenMode::Existing).unwrap();
        again.lock_database().unwrap();
    }

    #[test]
    fn unsynced_sectors_survive_each_by_itself() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let disk = Disk::new(seed);
            let files = SimulatedFiles::mount(&disk);
            let file = files.open(Path::new("/f"), OpenMode::New).unwrap();
            file.set_len(1536).unwrap();
            file.sync_data().unwrap();
            files.sync_dir(Path::new("/")).unwrap();
            file.write_all_at(&[1; 1536], 0).unwrap();
            disk.lose_power();
            let bytes = content(&SimulatedFiles::mount(&disk), "/f").unwrap();
            for sector in bytes.chunks(512) {
                assert!(sector.iter().all(|&byte| byte == sector[0]), "a torn sector");
            }
            outcomes.insert([bytes[0], bytes[512], bytes[1024]]);
        }
        assert_eq!(outcomes.len(), 8, "every combination");
    }

    #[test]
    fn a_name_that_was_not_synced_may_be_lost() {
        let survived = |seed| {
            let disk = Disk::new(seed);
            let files = SimulatedFiles::mount(&disk);
            let file = files.open(Path::new("/f"), OpenMode::New).unwrap();
            file.write_all_at(b"x", 0).unwrap();
            file.sync_all().unwrap();
            disk.lose_power();
            SimulatedFiles::mount(&disk).exists(Path::new("/f")).unwrap()
        };
        assert!((0..50).any(survived));
        assert!(!(0..50).all(survived));
    }

    #[test]
    fn a_folder_moves_with_what_is_in_it_and_open_files_follow() {
        let (disk, files) = disk();
        files.create_dir_all(Path::new("/data/a")).unwrap();
        let file = files.open(Path::new("/data/a/f"), OpenMode::New).unwrap();
        files.sync_dir(Path::new("/data/a")).unwrap();
        files.rename(Path::new("/data/a"), Path::new("/data/b")).unwrap();
        file.write_all_at(b"moved", 0).unwrap();
        file.sync_all().unwrap();
        files.sync_dir(Path::new("/data")).unwrap();
        disk.lose_power();
        let files = SimulatedFiles::mount(&disk);
        assert_eq!(content(&files, "/data/b/f").unwrap(), b"moved");
        assert_eq!(files.list(Path::new("/data")).unwrap(), ["b"]);
        assert!(files.remove_dir(Path::new("/data/b")).is_err());
    }

    #[test]
    fn a_lying_disk_says_that_all_is_well() {
        let lost = |seed| {
            let disk = Disk::new(seed);
            disk.lie_about("log");
            let files = SimulatedFiles::mount(&disk);
            files.create_dir_all(Path::new("/log")).unwrap();
            let file = files.open(Path::new("/log/f"), OpenMode::New).unwrap();
            files.sync_dir(Path::new("/")).unwrap();
            files.sync_dir(Path::new("/log")).unwrap();
            file.write_all_at(b"x", 0).unwrap();
            file.sync_data().unwrap();
            disk.lose_power();
            content(&SimulatedFiles::mount(&disk), "/log/f").unwrap().is_empty()
        };
        assert!((0..50).any(lost));
    }

    #[test]
    fn the_database_lock_is_one_handles() {
        let (_disk, files) = disk();
        let first = files.open(Path::new("/data/f"), OpenMode::New).unwrap();
        let second = files.open(Path::new("/data/f"), OpenMode::Existing).unwrap();
        first.lock_database().unwrap();
        let refused = second.lock_database().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        second.lock_database().unwrap();
    }
}
