//! A membership: on the wire, in the log and in the manifest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};

use super::{DecodeError, Decoded, Reader};
use crate::member::{MemberInfo, Role};
use crate::types::Membership;

const VERSION: u8 = 1;

/// The membership as bytes.
pub(crate) fn encode_membership(membership: &Membership) -> Bytes {
    let mut to = BytesMut::new();
    to.put_u8(VERSION);
    let configs = membership.get_joint_config();
    to.put_u8(configs.len() as u8);
    for config in configs {
        to.put_u16_le(config.len() as u16);
        config.iter().for_each(|id| to.put_u64_le(*id));
    }
    to.put_u16_le(membership.nodes().count() as u16);
    for (id, node) in membership.nodes() {
        to.put_u64_le(*id);
        to.put_u8(match node.role {
            Role::Voter => 0,
            Role::StandBy => 1,
            Role::Spare => 2,
        });
        to.put_u16_le(node.address.len() as u16);
        to.put_slice(node.address.as_bytes());
    }
    to.freeze()
}

/// The reverse of [`encode_membership`].
pub(crate) fn decode_membership(bytes: Bytes) -> Decoded<Membership> {
    let mut from = Reader { bytes };
    if from.u8()? != VERSION {
        return Err(DecodeError::Range("membership version"));
    }
    let mut configs = Vec::new();
    for _ in 0..from.u8()? {
        let mut config = BTreeSet::new();
        for _ in 0..from.u16()? {
            config.insert(from.u64()?);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..from.u16()? {
        let id = from.u64()?;
        let role = match from.u8()? {
            0 => Role::Voter,
            1 => Role::StandBy,
            2 => Role::Spare,
            _ => return Err(DecodeError::Range("role")),
        };
        let length = from.u16()?;
        let address = String::from_utf8(from.bytes(length.into())?.to_vec())
            .map_err(|_| DecodeError::Range("address"))?;
        nodes.insert(id, MemberInfo { address, role });
    }
    let membership =
        Membership::new(configs, nodes).map_err(|_| DecodeError::Range("membership"))?;
    from.finish(membership)
}
