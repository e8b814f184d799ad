"""What clusters, nodes and backups tell of themselves."""

from __future__ import annotations

from typing import NamedTuple

from ._tables import Role

__all__ = ["DatabaseStatus", "Metadata", "NodeInfo", "NodeStatus", "Progress"]


class NodeInfo(NamedTuple):
    """A member of a cluster."""

    id: int
    address: str
    role: Role


class DatabaseStatus(NamedTuple):
    """One database of a node."""

    name: str
    applied_index: int
    checkpoint_index: int
    page_count: int


class NodeStatus(NamedTuple):
    """A node's view of itself and of the log."""

    id: int
    role: Role | None
    leader_id: int
    term: int
    last_log_index: int
    commit_index: int
    applied_index: int
    databases: list[DatabaseStatus]


class Metadata(NamedTuple):
    """Where a node stands, and how little it wants a role."""

    failure_domain: int
    weight: int


class Progress(NamedTuple):
    """How far a backup is."""

    remaining_pages: int
    total_pages: int
