//! A disk that refuses to make things durable.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dqlite_engine::Refused;
use dqlite_env::{Env, File, FileSystem, OpenMode, RealFiles};
use dqlite_log::Backend;
use dqlite_raft::{Node, Options};

use crate::harness::refusal;
use crate::machine::{Files, Recorder};

/// The real files, which lose the ability to sync.
#[derive(Clone, Debug, Default)]
struct Failing(Arc<AtomicBool>);

#[derive(Debug)]
struct FailingFile(Arc<dyn File>, Failing);

impl Failing {
    fn check(&self) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(io::Error::other("planted")),
            false => Ok(()),
        }
    }
}

impl FileSystem for Failing {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(FailingFile(RealFiles.open(path, mode)?, self.clone())))
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_dir_all(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealFiles.list(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealFiles.exists(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync_dir(path)
    }
}

impl File for FailingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(buffer, offset)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.check()?;
        self.0.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.1.check()?;
        self.0.sync_all()
    }
    fn lock_database(&self) -> io::Result<()> {
        self.0.lock_database()
    }
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_fails_ends_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let failing = Failing::default();
    let env = Env { files: Arc::new(failing.clone()), ..Env::real() };
    let mut options = Options::new(1, "nowhere");
    options.log.backend = Backend::Inline;
    options.log.segment_bytes = 1 << 20;
    let machine = Recorder::new(Files::default());
    let node = Node::start(env, dir.path(), options, machine.clone()).await.unwrap();
    node.bootstrap().await.unwrap();
    let term = machine.wait(|seen| seen.leads.is_some()).await.leads.unwrap();

    failing.0.store(true, Ordering::SeqCst);
    let (on_refused, _) = refusal();
    let handle = node.handle();
    handle.propose(term, vec![vec![b"never durable"[..].into()]], on_refused).await;
    assert!(node.failed().await.contains("planted"));
    machine.wait(|seen| seen.leads.is_none()).await;
    assert_eq!(machine.payloads().len(), 0);
    let (on_refused, refused) = refusal();
    handle.propose(term, vec![vec![b"too late"[..].into()]], on_refused).await;
    assert_eq!(refused.await, Ok(Refused::Stopped));
    assert_eq!(handle.confirm_leadership(term).await, Err(Refused::Stopped));
    node.shutdown().await;
}
