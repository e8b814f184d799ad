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

/// Files of which those with the ending take half of a write and then fail, once `torn` is set.
#[derive(Clone, Debug)]
struct TearingFiles {
    ending: &'static str,
    torn: Arc<AtomicBool>,
}

impl TearingFiles {
    fn of(ending: &'static str) -> Self {
        Self { ending, torn: Arc::default() }
    }
}

impl FileSystem for TearingFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = RealFiles.open(path, mode)?;
        if path.extension().is_some_and(|ending| ending == self.ending) {
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
    let files = TearingFiles::of("db");
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

/// The power goes while the record of outcomes is written, or the record that vouches for it.
#[tokio::test]
async fn a_torn_record_of_outcomes_is_not_the_one_that_counts() {
    for ending in ["outcomes", "meta"] {
        let dir = tempfile::tempdir().unwrap();
        let tape = Arc::new(Tape::default());
        let files = TearingFiles::of(ending);
        let env = Env { files: Arc::new(files.clone()), ..Env::real() };
        let engine = Engine::open(env, dir.path(), Options::default()).unwrap();
        let mut leader = Replica::with(engine, &tape, 0);
        leader.lead(1).await;
        let mut session = leader.engine.open_session("app").await.unwrap();
        leader.run(&mut session, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").await.unwrap();
        let mut covered = Vec::new();
        for mark in 1..=3 {
            session.set_client(1000 + u128::from(mark));
            session.set_mark(mark);
            let sql = format!("INSERT INTO t VALUES ({mark}, 'x')");
            leader.run(&mut session, &sql).await.unwrap();
            files.torn.store(mark == 3, Ordering::SeqCst);
            covered.extend(leader.engine.checkpoint().await.ok());
        }
        assert_eq!(covered.len(), 2, "the third one tears");
        let expected = leader.engine.record_of_outcomes("app").unwrap();
        drop(session);
        leader.engine.close().await.unwrap();
        drop(leader);

        let mut again = Replica::open_with(dir.path(), &tape, Options::default(), covered[1]);
        let durable = again.engine.record_of_outcomes("app").unwrap();
        // All but the last of three: the count and the last place differ.
        assert_eq!(durable.len(), expected.len() - 32, "{ending}");
        assert_eq!(durable[16..], expected[16..durable.len()], "{ending}");
        again.apply_all().await;
        assert_eq!(again.engine.record_of_outcomes("app").unwrap(), expected, "{ending}");
        assert_eq!(rows_of(&again.image().await).len(), 3);
    }
}
