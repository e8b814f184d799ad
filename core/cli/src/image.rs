//! An SQLite file as it can be imported: consistent, whole, with pages of 4096 bytes.
//!
//! 1. The user's file is opened read-only and never changed.
//! 2. Pages are copied as they are, so that rowids stay, unless their size is another one: then
//!    SQLite writes the content anew, which may number the rows of tables without an INTEGER
//!    PRIMARY KEY differently.
//! 3. What leaves here has passed `quick_check`, and needs no file beside it.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

/// The size of every page of a replicated database, in bytes.
const PAGE_BYTES: u32 = 4096;

/// The smallest page that SQLite knows, in bytes.
const PAGE_BYTES_MIN: u64 = 512;

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A copy in a temporary folder, which goes with it.
#[derive(Debug)]
pub struct Image {
    _dir: TempDir,
    /// The copy.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its tables, without SQLite's own.
    pub tables: Vec<String>,
    /// The rows of all tables.
    pub row_count: u64,
    /// How it was made, for the user.
    pub how: String,
}

impl Image {
    /// Copies the database in the file at `path`. Blocks.
    ///
    /// # Errors
    /// There is no such file, it is not a database, or it is damaged.
    pub fn of(path: &Path) -> Result<Self> {
        let shown = path.display();
        let begins_well = begins_well(path).with_context(|| format!("cannot read {shown}"))?;
        ensure!(begins_well, "{shown} is not an SQLite database");
        let source = open_read_only(path).with_context(|| format!("cannot open {shown}"))?;
        let dir = tempfile::Builder::new().prefix("dqlite-import-").tempdir()?;
        let copy = dir.path().join("image.sqlite");
        let page_bytes: u32 = pragma(&source, "page_size")
            .map_err(|error| explained(error, path))
            .with_context(|| format!("cannot read {shown}"))?;
        let how = if page_bytes == PAGE_BYTES {
            copy_pages(&source, &copy).with_context(|| format!("cannot copy {shown}"))?;
            let journal: String = pragma(&source, "journal_mode")?;
            let wal = if journal == "wal" { ", with what is in its WAL" } else { "" };
            format!("copied page by page{wal}; rowids stay")
        } else {
            rewrite(&source, &copy).with_context(|| format!("cannot rewrite {shown}"))?;
            format!(
                "rewritten with pages of {PAGE_BYTES} bytes (it has {page_bytes}); rows of tables \
                 without an INTEGER PRIMARY KEY may get other rowids"
            )
        };
        drop(source);
        let checked = Connection::open(&copy)?;
        settle(&checked)?;
        let tables = tables(&checked)?;
        let row_count = count_rows(&checked, &tables)?;
        drop(checked);
        let bytes = std::fs::metadata(&copy)?.len();
        Ok(Self { _dir: dir, path: copy, bytes, tables, row_count, how })
    }
}

/// The names of a database's tables, without SQLite's own and virtual ones.
pub fn tables(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_list \
               WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The name as SQL quotes it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows of all `tables`.
///
/// # Errors
/// One is not there, or cannot be read.
pub fn count_rows(connection: &Connection, tables: &[String]) -> Result<u64> {
    let mut row_count = 0;
    for table in tables {
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        let rows: i64 = connection
            .query_row(&sql, [], |row| row.get(0))
            .with_context(|| format!("cannot count the rows of {table}"))?;
        row_count += rows.cast_unsigned();
    }
    Ok(row_count)
}

/// SQLite itself takes a file that is shorter than the smallest page for an empty database.
fn begins_well(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(PAGE_BYTES_MIN).read_to_end(&mut head)?;
    let is_whole = head.len() as u64 == PAGE_BYTES_MIN && head.starts_with(MAGIC);
    Ok(head.is_empty() || is_whole)
}

fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<T> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Makes the likely reasons plain.
fn explained(error: anyhow::Error, path: &Path) -> anyhow::Error {
    match error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::NotADatabase) => anyhow::anyhow!("it is not an SQLite database"),
        Some(ErrorCode::DatabaseBusy) => anyhow::anyhow!("another program is writing to it"),
        Some(ErrorCode::CannotOpen) => error.context(format!(
            "its WAL cannot be read; is the folder of {} writable?",
            path.display()
        )),
        _ => error,
    }
}

fn copy_pages(source: &Connection, copy: &Path) -> Result<()> {
    const PAGES_A_STEP: std::ffi::c_int = 4096;
    let mut target = Connection::open(copy)?;
    let backup = Backup::new(source, &mut target)?;
    backup.run_to_completion(PAGES_A_STEP, std::time::Duration::ZERO, None)?;
    Ok(())
}

fn rewrite(source: &Connection, copy: &Path) -> Result<()> {
    source.pragma_update(None, "page_size", PAGE_BYTES)?;
    let Some(copy) = copy.to_str() else { bail!("{} is not UTF-8", copy.display()) };
    source.execute("VACUUM INTO ?1", [copy])?;
    Ok(())
}

/// (3)
fn settle(connection: &Connection) -> Result<()> {
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    ensure!(journal == "delete", "the copy stays in journal mode {journal}");
    let page_bytes: u32 = pragma(connection, "page_size")?;
    ensure!(page_bytes == PAGE_BYTES, "the copy has pages of {page_bytes} bytes");
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    ensure!(check == "ok", "the database is damaged: {check}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(path: &Path, prelude: &str) -> Connection {
        let connection = Connection::open(path).unwrap();
        let script = "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3);\
                      DELETE FROM t WHERE a = 1; CREATE VIEW v AS SELECT * FROM t;";
        connection.execute_batch(&format!("{prelude}; {script}")).unwrap();
        connection
    }

    fn rowids(path: &Path) -> Vec<i64> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT rowid FROM t").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn pages_of_the_right_size_are_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        drop(make(&path, ""));
        let image = Image::of(&path).unwrap();
        assert_eq!((image.tables.as_slice(), image.row_count), (["t".to_owned()].as_slice(), 2));
        assert_eq!(image.bytes % u64::from(PAGE_BYTES), 0);
        assert_eq!(rowids(&image.path), [2, 3]);
        assert!(image.how.contains("rowids stay"));
    }

    #[test]
    fn what_is_only_in_the_wal_comes_along() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let _open = make(&path, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
        let image = Image::of(&path).unwrap();
        assert_eq!(rowids(&image.path), [2, 3]);
        assert!(image.how.contains("WAL"));
        let journal = std::fs::read(&image.path).unwrap()[18..20].to_vec();
        assert_eq!(journal, [1, 1], "the copy needs no WAL");
    }

    #[test]
    fn other_page_sizes_are_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        for (name, prelude) in [
            ("small", "PRAGMA page_size = 1024"),
            ("wal", "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL"),
        ] {
            let path = dir.path().join(name);
            let _open = make(&path, prelude);
            let image = Image::of(&path).unwrap();
            assert_eq!(image.row_count, 2, "{name}");
            assert!(image.how.contains("rewritten"));
            let head = std::fs::read(&image.path).unwrap();
            assert_eq!(u16::from_be_bytes([head[16], head[17]]), 4096);
        }
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            format!("{:#}", Image::of(&path).unwrap_err())
        };
        assert!(refused("text", b"hello, this is no database").contains("not an SQLite database"));
        assert!(refused("head", MAGIC).contains("not an SQLite database"));
        let missing = Image::of(&dir.path().join("missing")).unwrap_err();
        assert!(format!("{missing:#}").contains("cannot read"));
    }

    #[test]
    fn damage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        drop(make(&path, ""));
        let mut content = std::fs::read(&path).unwrap();
        content[4096..4200].fill(0xff);
        std::fs::write(&path, content).unwrap();
        let refused = format!("{:#}", Image::of(&path).unwrap_err());
        assert!(refused.contains("damaged") || refused.contains("malformed"), "{refused}");
    }
}
