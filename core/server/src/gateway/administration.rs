//! Requests about the node and its cluster.

use std::io;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use dqlite_engine::Error;
use dqlite_raft::Error as RaftError;
use dqlite_wire::{
    ClusterFormat, DatabaseStatus, DumpFile, Metric, NodeAddress, NodeInfo, NodeStatus, Protocol,
    Response, Role, codes,
};

use super::Gateway;

impl Gateway {
    /// Who leads. Only a voter says, and of itself only once it can serve. The address is exactly
    /// the one that the leader was configured with.
    pub(super) fn leader(&mut self) -> io::Result<()> {
        let status = self.node.raft.status();
        let is_voter = status.role == Some(dqlite_raft::Role::Voter);
        let (id, address) = status
            .leader
            .filter(|leader| is_voter && (leader.id != status.id || self.node.engine.is_leading()))
            .map_or((0, String::new()), |leader| (leader.id, leader.address));
        let address = address.into();
        match self.protocol {
            Protocol::Current => self.respond(&Response::Server { id, address }),
            Protocol::Legacy => self.respond(&Response::ServerLegacy { address }),
        }
    }

    pub(super) fn cluster(&mut self, format: ClusterFormat) -> io::Result<()> {
        let members = self.node.raft.members();
        match format {
            ClusterFormat::Roles => {
                let info = |member: dqlite_raft::Member| NodeInfo {
                    id: member.id,
                    address: member.address.into(),
                    role: wire_role(member.role),
                };
                self.respond(&Response::Servers(members.into_iter().map(info).collect()))
            }
            ClusterFormat::Addresses => {
                let address = |member: dqlite_raft::Member| NodeAddress {
                    id: member.id,
                    address: member.address.into(),
                };
                self.respond(&Response::ServersPlain(members.into_iter().map(address).collect()))
            }
        }
    }

    pub(super) async fn add(&mut self, id: u64, address: &str) -> io::Result<()> {
        if id == 0 || address.is_empty() {
            return self.fail(codes::ERROR, "a node needs an id other than 0 and an address");
        }
        let added = self.node.raft.add(id, address).await;
        self.changed(added)
    }

    pub(super) async fn assign(&mut self, id: u64, role: Role) -> io::Result<()> {
        let role = match role {
            Role::Voter => dqlite_raft::Role::Voter,
            Role::Standby => dqlite_raft::Role::StandBy,
            Role::Spare => dqlite_raft::Role::Spare,
        };
        let assigned = self.node.raft.assign(id, role).await;
        match assigned {
            Err(RaftError::UnknownId(_)) => self.fail(codes::ERROR, "Resource not found"),
            assigned => self.changed(assigned),
        }
    }

    pub(super) async fn remove(&mut self, id: u64) -> io::Result<()> {
        let removed = self.node.raft.remove(id).await;
        self.changed(removed)
    }

    pub(super) async fn transfer(&mut self, id: u64) -> io::Result<()> {
        let status = self.node.raft.status();
        let is_other_voter = |member: &dqlite_raft::Member| {
            member.id == id && id != status.id && member.role == dqlite_raft::Role::Voter
        };
        let leads = status.leader.as_ref().is_some_and(|leader| leader.id == status.id);
        if leads && id != 0 && !status.members.iter().any(is_other_voter) {
            return self.fail(codes::ERROR, codes::messages::SERVER_ID_INVALID);
        }
        let transferred = self.node.raft.transfer(id).await;
        self.changed(transferred)
    }

    /// Answers a change of the cluster with the code and the text that dqlite's clients know.
    fn changed(&mut self, result: Result<(), RaftError>) -> io::Result<()> {
        use codes::messages;
        match result {
            Ok(()) => self.respond(&Response::Empty),
            Err(RaftError::NotLeader | RaftError::Stopped) => self.fail_with(&Error::NotLeader),
            Err(RaftError::Unsettled) => self.fail_with(&Error::OutcomeUnknown),
            Err(error @ RaftError::ChangeInProgress) => self.fail(codes::BUSY, &error.to_string()),
            Err(RaftError::IdInUse(_)) => self.fail(codes::ERROR, messages::SERVER_ID_IN_USE),
            Err(RaftError::AddressInUse(_)) => {
                self.fail(codes::ERROR, messages::SERVER_ADDRESS_IN_USE)
            }
            Err(RaftError::UnknownId(_)) => self.fail(codes::ERROR, messages::SERVER_ID_INVALID),
            Err(RaftError::AlreadyHasRole) => {
                self.fail(codes::ERROR, messages::SERVER_ROLE_INVALID)
            }
            Err(RaftError::TransferFailed) => self.fail(codes::ERROR, messages::TRANSFER_FAILED),
            Err(error) => self.fail(codes::ERROR, &error.to_string()),
        }
    }

    pub(super) async fn dump(&mut self, name: &str) -> io::Result<()> {
        match self.node.engine.dump(name).await {
            Ok(image) if image.len() <= dqlite_wire::limits::BODY_BYTES_ENCODABLE_MAX / 2 => {
                let main = DumpFile { name: name.into(), content: Bytes::from(image) };
                // The image holds what is in the WAL: that file is there for the form.
                let wal = DumpFile { name: format!("{name}-wal").into(), content: Bytes::new() };
                self.respond(&Response::Files(vec![main, wal]))
            }
            Ok(image) => {
                let reason = format!("a database of {} bytes does not fit one answer", image.len());
                self.fail(codes::FULL, &reason)
            }
            Err(Error::NoDatabase) => {
                self.fail(codes::DQLITE_NOT_FOUND, codes::messages::NO_SUCH_DATABASE)
            }
            Err(error) => self.fail_with(&error),
        }
    }

    pub(super) fn describe(&mut self) -> io::Result<()> {
        self.respond(&Response::Metadata {
            failure_domain: self.node.options.failure_domain,
            weight: self.node.weight.load(Ordering::SeqCst),
        })
    }

    /// The weight lasts until the node stops.
    pub(super) fn set_weight(&mut self, weight: u64) -> io::Result<()> {
        self.node.weight.store(weight, Ordering::SeqCst);
        self.respond(&Response::Empty)
    }

    /// The consensus tells its state a moment late, and the databases theirs at once: what they
    /// have applied is committed, and in the log.
    pub(super) fn status(&mut self) -> io::Result<()> {
        let status = self.node.raft.status();
        let databases = self.node.engine.databases();
        let applied_indexes = databases.iter().map(|database| database.applied_index);
        let applied_index = applied_indexes.fold(status.applied_index, u64::max);
        let commit_index = status.commit_index.max(applied_index);
        let database = |database: dqlite_engine::DatabaseStatus| DatabaseStatus {
            name: database.name.into(),
            applied_index: database.applied_index,
            checkpoint_index: database.checkpoint_index,
            page_count: database.page_count.into(),
        };
        self.respond(&Response::Status(NodeStatus {
            id: status.id,
            role: status.role.map(wire_role),
            leader_id: status.leader.map_or(0, |leader| leader.id),
            term: status.term,
            last_log_index: status.last_index.max(commit_index),
            commit_index,
            applied_index,
            databases: databases.into_iter().map(database).collect(),
        }))
    }

    pub(super) fn metrics(&mut self) -> io::Result<()> {
        let log = self.node.raft.log_metrics();
        let status = self.node.raft.status();
        let databases = self.node.engine.databases();
        let wal_bytes = databases.iter().map(|database| database.wal_bytes).sum();
        let metrics = [
            ("log.flushes", log.flushes),
            ("log.entries", log.entries),
            ("log.bytes", log.bytes),
            ("log.flush_us", log.flush_us),
            ("log.segments", log.segments),
            ("raft.term", status.term),
            ("raft.last_index", status.last_index),
            ("raft.commit_index", status.commit_index),
            ("raft.applied_index", status.applied_index),
            ("raft.snapshot_index", status.snapshot_index),
            ("raft.purged_index", status.purged_index),
            ("engine.databases", databases.len() as u64),
            ("engine.wal_bytes", wal_bytes),
        ];
        let metric = |(name, value): (&str, u64)| Metric { name: name.into(), value };
        self.respond(&Response::Metrics(metrics.into_iter().map(metric).collect()))
    }
}

fn wire_role(role: dqlite_raft::Role) -> Role {
    match role {
        dqlite_raft::Role::Voter => Role::Voter,
        dqlite_raft::Role::StandBy => Role::Standby,
        dqlite_raft::Role::Spare => Role::Spare,
    }
}
