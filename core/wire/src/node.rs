//! Members of a cluster as the protocol names them.

use crate::Text;
use crate::error::DecodeError;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Role {
    /// Has the log and a vote.
    Voter = 0,
    /// Has the log, without a vote.
    Standby = 1,
    /// Has neither.
    Spare = 2,
}

impl Role {
    /// The number on the wire.
    pub const fn number(self) -> u64 {
        self as u64
    }
}

impl TryFrom<u64> for Role {
    type Error = DecodeError;

    fn try_from(role: u64) -> Result<Self, DecodeError> {
        match role {
            0 => Ok(Self::Voter),
            1 => Ok(Self::Standby),
            2 => Ok(Self::Spare),
            role => Err(DecodeError::UnknownRole { role }),
        }
    }
}

/// Which answer CLUSTER asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClusterFormat {
    /// Format 0: ids and addresses.
    Addresses,
    /// Format 1: ids, addresses and roles.
    #[default]
    Roles,
}

/// A member with its role: an item of SERVERS in format 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The member's id.
    pub id: u64,
    /// The address it is dialled at.
    pub address: Text,
    /// What it does.
    pub role: Role,
}

/// A member: an item of SERVERS in format 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// The member's id.
    pub id: u64,
    /// The address it is dialled at.
    pub address: Text,
}
