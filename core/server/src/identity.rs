//! Who a node is: its number and its address, in the file `identity` of its data directory.
//!
//! A number belongs to one data directory for good: under it the node has voted and promised. So it
//! is written once, before the node first speaks, and the options may not contradict it.
//!
//! ```text
//! dqlite-identity 1
//! id 3297041220608546238
//! address 10.0.0.1:9000
//! ```

use std::io;
use std::path::{Path, PathBuf};

use dqlite_env::{Env, FileSystem, OpenMode};

use crate::error::Error;
use crate::joining;
use crate::options::NodeOptions;
use crate::recovery;

const FILE: &str = "identity";
const HEADER: &str = "dqlite-identity 1";
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A node's number and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub id: u64,
    pub address: String,
}

/// The id and the address of the node whose directory it is; none where it is nobody's. Blocks.
///
/// # Errors
/// The files are damaged, or cannot be read.
pub fn identity(env: &Env, data_dir: &Path) -> Result<Option<(u64, String)>, Error> {
    if !env.files.exists(&path(data_dir))? {
        return Ok(None);
    }
    let known = Identity::read(&*env.files, data_dir)?;
    Ok(Some((known.id, known.address)))
}

impl Identity {
    /// Reads who the node is, or decides and writes it. Blocks.
    pub fn establish(env: &Env, options: &NodeOptions) -> Result<Self, Error> {
        let dir = &options.data_dir;
        env.files.create_dir_all(dir)?;
        let wrong = |text: String| Err(Error::Options(text));
        if let Some(recovered) = recovery::claim(&*env.files, options)? {
            return Ok(recovered);
        }
        if env.files.exists(&path(dir))? {
            let known = Self::read(&*env.files, dir)?;
            if options.id.is_some_and(|id| id != known.id) {
                let dir = dir.display();
                return wrong(format!("{dir} belongs to the node with id {}", known.id));
            }
            if options.address != known.address {
                let (dir, address) = (dir.display(), &known.address);
                return wrong(format!("{dir} belongs to the node at address {address}"));
            }
            return Ok(known);
        }
        let id = options.id.unwrap_or_else(|| env.entropy.next().max(1));
        let identity = Self { id, address: options.address.clone() };
        if !options.join.is_empty() {
            joining::intend(env, options)?;
        }
        identity.write(&*env.files, dir)?;
        Ok(identity)
    }

    /// Makes this the node of the directory, durably. Blocks.
    pub fn write(&self, files: &dyn FileSystem, dir: &Path) -> io::Result<()> {
        let text = format!("{HEADER}\nid {}\naddress {}\n", self.id, self.address);
        replace(files, dir, FILE, &text)
    }

    /// Reads whose the directory is. Blocks.
    pub fn read(files: &dyn FileSystem, dir: &Path) -> io::Result<Self> {
        let text = read_text(files, &path(dir), FILE_BYTES_MAX)?;
        text.as_deref().and_then(Self::parse).ok_or_else(|| {
            let reason = format!("{} does not say who the node is", path(dir).display());
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        (lines.next()? == HEADER).then_some(())?;
        let id = lines.next()?.strip_prefix("id ")?.parse().ok().filter(|&id| id != 0)?;
        let address = lines.next()?.strip_prefix("address ")?.to_owned();
        Some(Self { id, address })
    }
}

/// The file that says whose the directory is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Replaces a small file as a whole, durably. Blocks.
pub(crate) fn replace(
    files: &dyn FileSystem,
    dir: &Path,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let file = files.open(&new, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.sync_all()?;
    files.rename(&new, &dir.join(name))?;
    files.sync_dir(dir)
}

/// The first `bytes_max` bytes of a file, unless they are no text. Blocks.
pub(crate) fn read_text(
    files: &dyn FileSystem,
    path: &Path,
    bytes_max: u64,
) -> io::Result<Option<String>> {
    let file = files.open(path, OpenMode::Existing)?;
    let mut bytes = vec![0; file.len()?.min(bytes_max) as usize];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_belongs_to_one_node() {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::real();
        let mut options = NodeOptions::new(dir.path(), "127.0.0.1:9001");
        let first = Identity::establish(&env, &options).unwrap();
        assert_eq!(Identity::establish(&env, &options).unwrap(), first);
        options.id = Some(first.id.wrapping_add(1).max(1));
        assert!(matches!(Identity::establish(&env, &options), Err(Error::Options(_))));
        options.id = Some(first.id);
        options.address = "127.0.0.1:9002".into();
        assert!(matches!(Identity::establish(&env, &options), Err(Error::Options(_))));
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        for text in ["", "dqlite-identity 1\n", "dqlite-identity 1\nid 0\naddress a\n", "x"] {
            assert_eq!(Identity::parse(text), None, "{text:?}");
        }
    }
}
