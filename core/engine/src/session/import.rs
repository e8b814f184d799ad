//! A whole SQLite file becomes the content of a database.

use std::path::{Path, PathBuf};

use dqlite_vfs::PAGE_BYTES;
use rusqlite::{Connection, OpenFlags};

use super::Session;
use super::run::connection;
use crate::cell::Inner;
use crate::error::Error;

impl Session {
    /// Replaces the content of the database by that of the file at `path`, in one transaction.
    pub(crate) async fn import(&mut self, path: PathBuf) -> Result<(), Error> {
        self.on_connection(true, move |inner| copy(inner, &path)).await
    }
}

fn copy(inner: &mut Inner, path: &Path) -> Result<(), Error> {
    let sqlite = |error: rusqlite::Error| Error::Sqlite(error.into());
    let refuse = |reason: String| Err(Error::Import(reason));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    let page_bytes: u32 =
        source.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(sqlite)?;
    if page_bytes != PAGE_BYTES as u32 {
        return refuse(format!("its pages have {page_bytes} bytes, not {PAGE_BYTES}"));
    }
    let check: String =
        source.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite)?;
    if check != "ok" {
        return refuse(format!("it is damaged: {check}"));
    }
    Ok(connection(inner)?.restore(&source)?)
}
