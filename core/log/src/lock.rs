//! Keeps a second process, or a second user in this one, out of a folder.
//!
//! The lock is the system's, on the open file `lock`, and goes with the process however that ends.
//! In the file stands the number of the process that holds it, for the error of whoever comes
//! second. What stands there is believed only while the lock is held, and only of a process that,
//! where the system tells, has the file open.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use dqlite_env::{Env, OpenMode};

use crate::options::OpenError;

/// The lock file's name.
const FILE: &str = "lock";

/// Held for as long as the folder may be written.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Who has a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This very process.
    ThisProcess,
    /// Another process, with its command's name where the system tells.
    Process {
        /// Its number.
        pid: u32,
        /// Its command's name.
        command: Option<String>,
    },
    /// Somebody who cannot be named.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisProcess => f.write_str("this process"),
            Self::Process { pid, command: Some(command) } => write!(f, "process {pid} ({command})"),
            Self::Process { pid, command: None } => write!(f, "process {pid}"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

impl DirLock {
    /// Locks `dir`, which is made if missing; `None` when its files are not the operating
    /// system's, as in a simulation. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Locked`], which names the holder, and [`OpenError::Io`].
    pub fn acquire(env: &Env, dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        let is_real = || {
            env.files.create_dir_all(dir)?;
            let file = env.files.open(&path, OpenMode::Create)?;
            io::Result::Ok(file.descriptor().is_some())
        };
        match is_real() {
            Ok(true) => Self::take(dir).map(Some),
            Ok(false) => Ok(None),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Locks `dir`, whose files are the operating system's.
    fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(FILE);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                // The lock holds with or without the name: a full disk is somebody else's error.
                if let Err(error) = sign(&mut file) {
                    let path = path.display();
                    tracing::debug!(%path, %error, "the lock file does not name its holder");
                }
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let dir = dir.to_owned();
                Err(OpenError::Locked { holder: holder(&mut file, &path), dir })
            }
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
        }
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Who holds the lock on `file`, which is `path` and could not be locked.
fn holder(file: &mut File, path: &Path) -> Holder {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let Some(pid) = read.ok().and_then(|_| text.trim().parse::<u32>().ok()) else {
        return Holder::Unknown;
    };
    let own = pid == std::process::id();
    // One is the file that this attempt has opened.
    if !may_hold(pid, path, if own { 2 } else { 1 }) {
        return Holder::Unknown;
    }
    if own {
        return Holder::ThisProcess;
    }
    let command = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let command = command.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Holder::Process { pid, command }
}

/// Whether the process may be the one: it lives, and as far as the system tells has the file open
/// as often as said.
#[cfg(target_os = "linux")]
fn may_hold(pid: u32, path: &Path, times: usize) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let (Ok(open), Ok(path)) = (std::fs::read_dir(process.join("fd")), path.canonicalize()) else {
        return process.exists();
    };
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| *link == path).count() >= times
}

#[cfg(not(target_os = "linux"))]
fn may_hold(_pid: u32, _path: &Path, _times: usize) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn refused(dir: &Path) -> Holder {
        match DirLock::acquire(&Env::real(), dir).unwrap_err() {
            OpenError::Locked { holder, .. } => holder,
            other => panic!("{other}"),
        }
    }

    /// A shell that holds the lock, and signs if it is told to.
    fn shell(dir: &Path, sign: &str) -> Child {
        let script = format!("{sign}; echo ready; read end");
        let mut shell = Command::new("flock")
            .arg(dir.join(FILE))
            .args(["sh", "-c", &script, "sh"])
            .arg(dir.join(FILE))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        shell
    }

    #[test]
    fn this_process_is_told_of_itself() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::acquire(&Env::real(), dir.path()).unwrap();
        assert_eq!(refused(dir.path()), Holder::ThisProcess);
        let error = DirLock::acquire(&Env::real(), dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("is in use by this process"), "{error}");
        drop(first);
        DirLock::acquire(&Env::real(), dir.path()).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_process_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell(dir.path(), "echo $$ > $1");
        let Holder::Process { pid, command } = refused(dir.path()) else { panic!("not named") };
        assert!(pid != std::process::id() && Path::new(&format!("/proc/{pid}")).exists());
        assert_eq!(command.as_deref(), Some("sh"));
        drop(child.stdin.take());
        child.wait().unwrap();
        DirLock::acquire(&Env::real(), dir.path()).unwrap();
    }

    /// The holder has not signed yet, and an earlier one's name stands there.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_does_not_have_the_file_is_not_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
        for stale in [std::process::id(), bystander.id(), u32::MAX] {
            let mut child = shell(dir.path(), &format!("echo {stale} > $1"));
            assert_eq!(refused(dir.path()), Holder::Unknown, "{stale}");
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn what_stands_in_a_free_file_means_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "1\n").unwrap();
        let held = DirLock::acquire(&Env::real(), dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(held);
    }
}
