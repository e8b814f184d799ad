//! The manifest: up to which entry the database files hold the log, durably.
//!
//! The database files are the Raft snapshot, so this is all that has to be written to take one.
//!
//! 1. The manifest never goes back, and never names an entry that is not in the files durably.
//! 2. It is replaced as a whole: written beside, made durable, renamed. A reader finds the old or
//!    the new one, or an error.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};
use dqlite_engine::Position;
use dqlite_env::{Env, FileSystem, OpenMode};

use crate::codec::{decode_membership, encode_membership};
use crate::types::{self, LogId, SnapshotMeta, StoredMembership};

const FILE: &str = "raft-manifest";
const MAGIC: [u8; 8] = *b"dqraftm1";
/// Magic, two positions, length of the membership; checksum at the end.
const HEADER_BYTES: usize = 8 + 32 + 4;
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What the database files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The last entry that they hold with all before it.
    pub last: Option<LogId>,
    /// The membership as of that entry.
    pub membership: StoredMembership,
}

impl Manifest {
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }

    /// Reads the manifest in `dir`; the empty one when there is none.
    ///
    /// # Errors
    /// `InvalidData` when it is damaged: what the database files hold is not known then.
    pub(crate) async fn load(env: &Env, dir: &Path) -> io::Result<Self> {
        let (files, path) = (env.files.clone(), dir.join(FILE));
        env.blocking
            .run(move || {
                if !files.exists(&path)? {
                    return Ok(Self::default());
                }
                let file = files.open(&path, OpenMode::Existing)?;
                let length = file.len()?;
                if length > FILE_BYTES_MAX {
                    return Err(damaged());
                }
                let mut bytes = vec![0; length as usize];
                let count = file.read_at(&mut bytes, 0)?;
                bytes.truncate(count);
                Self::decode(bytes.into())
            })
            .await
    }

    /// Makes this the manifest in `dir`, durably.
    pub(crate) async fn store(&self, env: &Env, dir: &Path) -> io::Result<()> {
        let (files, dir, bytes) = (env.files.clone(), dir.to_owned(), self.encode());
        env.blocking.run(move || replace(&*files, &dir, &bytes)).await
    }

    fn encode(&self) -> Bytes {
        let membership = encode_membership(self.membership.membership());
        let mut to = BytesMut::with_capacity(HEADER_BYTES + membership.len() + 4);
        to.put_slice(&MAGIC);
        for id in [self.last, *self.membership.log_id()] {
            let position = types::position_or_zero(id);
            to.put_u64_le(position.term);
            to.put_u64_le(position.index);
        }
        to.put_u32_le(membership.len() as u32);
        to.put_slice(&membership);
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &to) as u32;
        to.put_u32_le(crc);
        to.freeze()
    }

    fn decode(mut bytes: Bytes) -> io::Result<Self> {
        if bytes.len() < HEADER_BYTES + 4 || bytes[..8] != MAGIC {
            return Err(damaged());
        }
        let crc = bytes.split_off(bytes.len() - 4).get_u32_le();
        if checksum(CrcAlgorithm::Crc32Iscsi, &bytes) as u32 != crc {
            return Err(damaged());
        }
        bytes.advance(8);
        let mut log_id = || {
            let position = Position { term: bytes.get_u64_le(), index: bytes.get_u64_le() };
            types::log_id_or_none(position)
        };
        let (last, membership_at) = (log_id(), log_id());
        if bytes.get_u32_le() as usize != bytes.len() {
            return Err(damaged());
        }
        let membership = StoredMembership::new(membership_at, decode_membership(bytes)?);
        Ok(Self { last, membership })
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the manifest of the database files is damaged")
}

fn replace(files: &dyn FileSystem, dir: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside: PathBuf = dir.join(format!("{FILE}.new"));
    let file = files.open(&beside, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    drop(file);
    files.rename(&beside, &dir.join(FILE))?;
    files.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::member::{MemberInfo, Role};
    use crate::types::Membership;

    fn sample(index: u64) -> Manifest {
        let info = MemberInfo { address: "a:1".to_owned(), role: Role::Voter };
        let membership = Membership::new(vec![[1].into()], BTreeMap::from([(1, info)])).unwrap();
        Manifest {
            last: Some(types::log_id(Position { term: 3, index })),
            membership: StoredMembership::new(
                Some(types::log_id(Position { term: 0, index: 1 })),
                membership,
            ),
        }
    }

    #[tokio::test]
    async fn the_last_one_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::real();
        assert_eq!(Manifest::load(&env, dir.path()).await.unwrap(), Manifest::default());
        for index in [7, 9] {
            sample(index).store(&env, dir.path()).await.unwrap();
            assert_eq!(Manifest::load(&env, dir.path()).await.unwrap(), sample(index));
        }
    }

    #[test]
    fn no_damage_goes_unseen() {
        let bytes = sample(7).encode();
        for at in 0..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= 0x10;
            assert!(Manifest::decode(broken.into()).is_err(), "byte {at}");
            assert!(Manifest::decode(bytes.slice(..at)).is_err(), "cut at {at}");
        }
        assert_eq!(Manifest::decode(bytes).unwrap(), sample(7));
    }
}
