//! Files and folders, as far as a node needs them.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

/// How a file is opened. Every mode reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must exist.
    Existing,
    /// The file is created when it is missing.
    Create,
    /// The file must not exist yet.
    New,
}

/// A file that many threads may use at once.
pub trait File: Debug + Send + Sync {
    /// Reads into `buffer` from `offset` (bytes) and gives the count read, short only at the end
    /// of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buffer` at `offset` (bytes), growing the file as needed.
    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// True when the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or zero-extends the file to `length` bytes.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes the content, and what is needed to read it back, durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes content and metadata durable.
    fn sync_all(&self) -> io::Result<()>;
    /// Takes SQLite's own exclusive lock on the file, so that another program that opens it as a
    /// database gets "database is locked". Held until the file is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else holds a lock.
    fn lock_database(&self) -> io::Result<()>;
    /// The descriptor, where the file is one of the operating system's.
    fn descriptor(&self) -> Option<RawFd>;
}

/// A tree of files.
pub trait FileSystem: Debug + Send + Sync {
    /// Opens `path`.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Creates `path` and the folders above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names in the folder `path`, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Renames a file, replacing `to`. Durable after `sync_dir` of the folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// True when a file or folder stands at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes the names in the folder `path` durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug)]
pub struct RealFiles;

impl FileSystem for RealFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true);
        match mode {
            OpenMode::Existing => {}
            OpenMode::Create => {
                options.create(true);
            }
            OpenMode::New => {
                options.create_new(true);
            }
        }
        Ok(Arc::new(RealFile { file: options.open(path)? }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path)?.sync_all()
    }
}

#[derive(Debug)]
struct RealFile {
    file: std::fs::File,
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut count = 0;
        while count < buffer.len() {
            match self.file.read_at(&mut buffer[count..], offset + count as u64) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn lock_database(&self) -> io::Result<()> {
        lock::take(&self.file)
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.file.as_raw_fd())
    }
}

/// SQLite's lock bytes: PENDING at 1 GiB, RESERVED after it, then 510 SHARED bytes
/// (<https://www.sqlite.org/lockingv3.html>).
mod lock {
    use std::io;

    const FIRST_BYTE: i64 = 0x4000_0000;
    const BYTE_COUNT: i64 = 512;

    #[cfg(target_os = "linux")]
    pub fn take(file: &std::fs::File) -> io::Result<()> {
        use nix::fcntl::{FcntlArg, fcntl};
        use nix::libc;

        // A lock of the open file (OFD), not of the process: closing another descriptor of the
        // same file, as a backup does, must not drop it.
        let range = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: FIRST_BYTE,
            l_len: BYTE_COUNT,
            l_pid: 0,
        };
        fcntl(file, FcntlArg::F_OFD_SETLK(&range))
            .map(|_| ())
            .map_err(|errno| io::Error::from_raw_os_error(errno as i32))
    }

    #[cfg(not(target_os = "linux"))]
    pub fn take(file: &std::fs::File) -> io::Result<()> {
        use nix::fcntl::{FcntlArg, fcntl};
        use nix::libc;

        let range = libc::flock {
            l_start: FIRST_BYTE,
            l_len: BYTE_COUNT,
            l_pid: 0,
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
        };
        fcntl(file, FcntlArg::F_SETLK(&range))
            .map(|_| ())
            .map_err(|errno| io::Error::from_raw_os_error(errno as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("f"), OpenMode::New).unwrap();
        file.write_all_at(b"hello", 3).unwrap();
        let mut buffer = [9; 10];
        assert_eq!(file.read_at(&mut buffer, 2).unwrap(), 6);
        assert_eq!(&buffer[..6], b"\0hello");
        assert_eq!(file.read_at(&mut buffer, 100).unwrap(), 0);
    }

    #[test]
    fn a_second_descriptor_cannot_take_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let first = RealFiles.open(&path, OpenMode::New).unwrap();
        let second = RealFiles.open(&path, OpenMode::Existing).unwrap();
        first.lock_database().unwrap();
        assert_eq!(second.lock_database().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        second.lock_database().unwrap();
    }

    #[test]
    fn names_are_listed_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a", "c"] {
            RealFiles.open(&dir.path().join(name), OpenMode::New).unwrap();
        }
        assert_eq!(RealFiles.list(dir.path()).unwrap(), ["a", "b", "c"]);
    }
}
