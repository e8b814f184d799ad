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
use std::path::Path;

use dqlite_env::{Env, FileSystem, OpenMode};

use crate::error::Error;
use crate::joining;
use crate::options::NodeOptions;

const FILE: &str = "identity";
const FILE_NEW: &str = "identity.new";
const HEADER: &str = "dqlite-identity 1";

/// A node's number and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub id: u64,
    pub address: String,
}

impl Identity {
    /// Reads who the node is, or decides and writes it. Blocks.
    pub fn establish(env: &Env, options: &NodeOptions) -> Result<Self, Error> {
        let dir = &options.data_dir;
        env.files.create_dir_all(dir)?;
        let wrong = |text: String| Err(Error::Options(text));
        if options.address.is_empty() || options.address.contains(['\n', '\0']) {
            return wrong("a node needs an address by which clients and nodes reach it".into());
        }
        if options.id == Some(0) {
            return wrong("0 cannot be a node's id".into());
        }
        let path = dir.join(FILE);
        if env.files.exists(&path)? {
            let known = Self::read(&*env.files, &path)?;
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

    fn write(&self, files: &dyn FileSystem, dir: &Path) -> io::Result<()> {
        let text = format!("{HEADER}\nid {}\naddress {}\n", self.id, self.address);
        let new = dir.join(FILE_NEW);
        let file = files.open(&new, OpenMode::Create)?;
        file.set_len(0)?;
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync_all()?;
        files.rename(&new, &dir.join(FILE))?;
        files.sync_dir(dir)
    }

    fn read(files: &dyn FileSystem, path: &Path) -> io::Result<Self> {
        let file = files.open(path, OpenMode::Existing)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0).min(64 << 10)];
        let count = file.read_at(&mut bytes, 0)?;
        std::str::from_utf8(&bytes[..count]).ok().and_then(Self::parse).ok_or_else(|| {
            let reason = format!("{} does not say who the node is", path.display());
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
