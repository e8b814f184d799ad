//! A node that dies in the middle of a checkpoint.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dqlite_engine::{Engine, Error, Machine, Options};
use dqlite_env::{Env, File, FileSystem, OpenMode, RealFiles};
use replicas::{Replica, Tape, rows_of};

/// Files of which the databases' take half of a write and then fail, once `torn` is set.
#[derive(Clone, Debug, Default)]
struct TearingFiles {
    torn: Arc<AtomicBool>,
}

impl FileSystem for TearingFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = RealFiles.open(path, mode)?;
        if path.extension().is_some_and(|ending| ending == "db") {
            return Ok(Arc::new(TearingFile { file, torn: self.torn.clone() }));
        }
        Ok(file)
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

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealFiles.exists(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync_dir(path)
    }
}

#[derive(Debug)]
struct TearingFile {
    file: Arc<dyn File>,
    torn: Arc<AtomicBool>,
}

impl File for TearingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        if !self.torn.load(Ordering::SeqCst) {
            return self.file.write_all_at(buffer, offset);
        }
        self.file.write_all_at(&buffer[..buffer.len() / 2], offset)?;
        Err(io::Error::other("the power went"))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
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
        self.file.lock_database()
    }

    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

#[tokio::test]
async fn a_torn_file_is_not_served_until_the_log_has_made_it_whole() {
    let dir = tempfile::tempdir().unwrap();
    let tape = Arc::new(Tape::default());
    let files = TearingFiles::default();
    let env = Env { files: Arc::new(files.clone()), ..Env::real() };
    let engine = Engine::open(env, dir.path(), Options::default()).unwrap();
    let mut leader = Replica::with(engine, &tape, 0);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").await.unwrap();
    let covered = leader.engine.checkpoint().await.unwrap();
    let fill = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 500)
        INSERT INTO t SELECT i, hex(randomblob(100)) FROM s";
    leader.run(&mut session, fill).await.unwrap();
    let expected = leader.image().await;
    files.torn.store(true, Ordering::SeqCst);
    leader.engine.checkpoint().await.unwrap_err();
    drop(session);
    leader.engine.close().await.unwrap();
    drop(leader);

    let mut again = Replica::open_with(dir.path(), &tape, Options::default(), covered);
    let unserved = again.engine.dump("app").await;
    assert!(matches!(unserved, Err(Error::Recovering)), "{unserved:?}");
    again.apply_all().await;
    assert!(again.image().await == expected);
    assert_eq!(rows_of(&expected).len(), 500);
}
