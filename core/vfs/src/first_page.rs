//! The page that every replica of every database begins with.
//!
//! SQLite would open a rollback journal to bring a new file into WAL mode, and would date the page
//! with its own version. Replicas must agree on each byte, so the page is a constant of ours: an
//! empty schema, WAL mode, 4096-byte pages, UTF-8.
//! <https://www.sqlite.org/fileformat2.html#the_database_header>

use std::io;

use dqlite_env::File;

use crate::PAGE_BYTES;

/// The version of SQLite that the page names as its last writer. Part of the constant: it does not
/// follow the SQLite that is linked.
const WRITER_VERSION: u32 = 3_054_001;

pub(crate) const FIRST_PAGE: [u8; PAGE_BYTES] = first_page();

/// The part of the page that tells what kind of file it begins: magic, page size, WAL mode.
const KIND_BYTES: usize = 20;

/// Gives a new file its first page, durably, and refuses a file of another kind.
pub(crate) fn ensure(file: &dyn File) -> io::Result<()> {
    let mut kind = [0; KIND_BYTES];
    file.read_at(&mut kind, 0)?;
    // The page is durable before anything is built on it: where it is torn, there is nothing yet.
    if file.len()? < PAGE_BYTES as u64 || kind == [0; KIND_BYTES] {
        file.write_all_at(&FIRST_PAGE, 0)?;
        return file.sync_all();
    }
    if kind != FIRST_PAGE[..KIND_BYTES] {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a database of 4096-byte pages in WAL mode",
        ));
    }
    Ok(())
}

const fn first_page() -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    put(&mut page, 0, b"SQLite format 3\0");
    put(&mut page, 16, &(PAGE_BYTES as u16).to_be_bytes());
    // Written and read in WAL mode.
    put(&mut page, 18, &[2, 2]);
    // No reserved bytes; the three payload fractions are fixed by the format.
    put(&mut page, 20, &[0, 64, 32, 32]);
    // Change counter, size in pages.
    put(&mut page, 24, &1_u32.to_be_bytes());
    put(&mut page, 28, &1_u32.to_be_bytes());
    // Schema format, text encoding.
    put(&mut page, 44, &4_u32.to_be_bytes());
    put(&mut page, 56, &1_u32.to_be_bytes());
    // The change counter for which the size and the version hold.
    put(&mut page, 92, &1_u32.to_be_bytes());
    put(&mut page, 96, &WRITER_VERSION.to_be_bytes());
    // An empty leaf of a table b-tree, its cells to be laid from the page's end.
    put(&mut page, 100, &[13]);
    put(&mut page, 105, &(PAGE_BYTES as u16).to_be_bytes());
    page
}

const fn put(page: &mut [u8; PAGE_BYTES], offset: usize, bytes: &[u8]) {
    let mut index = 0;
    while index < bytes.len() {
        page[offset + index] = bytes[index];
        index += 1;
    }
}
