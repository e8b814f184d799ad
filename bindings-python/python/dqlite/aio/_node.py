"""Nodes and clusters on an event loop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from os import PathLike
from types import TracebackType

from .. import _native
from .._tables import Consistency, Convert, LogBackend, Role
from ..records import DatabaseStatus, Metadata, NodeInfo, NodeStatus
from ._connection import Connection
from ._loop import AwaitableContext, check_loop, completions, finished

_Duration = float | timedelta
_Path = str | PathLike[str]


class Node:
    """A node of a cluster in this process."""

    __slots__ = ("__weakref__", "_native")
    __module__ = "dqlite.aio"

    def __init__(
        self,
        data_dir: _Path,
        *,
        tls_ca: _Path | None = None,
        tls_cert: _Path | None = None,
        tls_key: _Path | None = None,
        address: str,
        join: Iterable[str] | None = None,
        id: int | None = None,
        bind: str | None = None,
        voters: int | None = None,
        standbys: int | None = None,
        failure_domain: int | None = None,
        weight: int | None = None,
        log_backend: LogBackend | None = None,
        checkpoint_frames: int | None = None,
        snapshot_threshold: int | None = None,
        election_timeout: _Duration | None = None,
        heartbeat: _Duration | None = None,
    ) -> None:
        self._native = _native.AsyncNode(
            data_dir,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            address=address,
            join=join,
            id=id,
            bind=bind,
            voters=voters,
            standbys=standbys,
            failure_domain=failure_domain,
            weight=weight,
            log_backend=log_backend,
            checkpoint_frames=checkpoint_frames,
            snapshot_threshold=snapshot_threshold,
            election_timeout=election_timeout,
            heartbeat=heartbeat,
        )

    async def start(self) -> None:
        """Starts the node, unless it runs."""
        await finished(self._native.start(completions()))

    async def ready(self) -> None:
        """Waits until the node is a member of a cluster with a leader."""
        await finished(self._native.ready(completions()))

    def connect(
        self,
        database: str = "main",
        *,
        autocommit: bool | None = None,
        consistency: Consistency | None = None,
        max_staleness: _Duration | None = None,
        timeout: _Duration | None = None,
        busy_timeout: _Duration | None = None,
        retry: bool | None = None,
        convert: Convert | None = None,
    ) -> AwaitableContext[Connection]:
        """Opens a connection to one of the cluster's databases, which the first write makes."""
        back = completions()
        operation = self._native.connect(
            back,
            database,
            autocommit=autocommit,
            consistency=consistency,
            max_staleness=max_staleness,
            timeout=timeout,
            busy_timeout=busy_timeout,
            retry=retry,
            convert=convert,
        )
        return AwaitableContext(_connected(back, operation))

    def cluster(self) -> Cluster:
        """The cluster of the node."""
        cluster = Cluster.__new__(Cluster)
        cluster._completions = completions()
        cluster._native = self._native.cluster(cluster._completions)
        return cluster

    async def handover(self) -> None:
        """Hands the lead, and the vote, over to others: before a planned stop."""
        await finished(self._native.handover(completions()))

    async def stop(self) -> None:
        """Stops the node. Its connections end. Twice is fine."""
        await finished(self._native.stop(completions()))

    async def status(self) -> NodeStatus:
        """How far the node is."""
        return await finished(self._native.status(completions()))

    @property
    def id(self) -> int | None:
        """The node's number; None before it has started, unless it was given."""
        return self._native.id

    @property
    def address(self) -> str:
        """Where clients and other nodes reach it."""
        return self._native.address

    async def __aenter__(self) -> Node:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


async def _connected(
    back: _native.Completions, operation: _native.Operation[_native.AsyncConnection]
) -> Connection:
    return Connection(back, await finished(operation))


class Cluster:
    """A cluster as a whole: who is in it and what they do."""

    __slots__ = ("__weakref__", "_completions", "_native")
    __module__ = "dqlite.aio"

    def __init__(
        self,
        target: str,
        *,
        timeout: _Duration | None = None,
        tls_ca: _Path | None = None,
        tls_cert: _Path | None = None,
        tls_key: _Path | None = None,
    ) -> None:
        self._completions = completions()
        self._native = _native.AsyncCluster(
            self._completions,
            target,
            timeout=timeout,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )

    def _open(self) -> _native.AsyncCluster:
        check_loop(self._completions)
        return self._native

    async def members(self) -> list[NodeInfo]:
        """The members and their roles."""
        return await finished(self._open().members())

    async def leader(self) -> NodeInfo:
        """Who leads."""
        return await finished(self._open().leader())

    async def add(self, id: int, address: str, role: Role = "spare") -> None:
        """Adds a member and gives it a role."""
        await finished(self._open().add(id, address, role))

    async def assign(self, id: int, role: Role) -> None:
        """Gives a member a role; returns once it has it."""
        await finished(self._open().assign(id, role))

    async def remove(self, id: int) -> None:
        """Removes a member."""
        await finished(self._open().remove(id))

    async def transfer(self, id: int = 0) -> None:
        """Hands the lead over to a voter, or with 0 to any."""
        await finished(self._open().transfer(id))

    async def describe(self, address: str) -> Metadata:
        """The failure domain and the weight of the node at an address."""
        return await finished(self._open().describe(address))

    async def weight(self, address: str, weight: int) -> None:
        """Sets the weight of the node at an address, until it stops."""
        await finished(self._open().weight(address, weight))

    async def databases(self) -> list[DatabaseStatus]:
        """The databases, as the leader has them."""
        return await finished(self._open().databases())

    async def dump(self, database: str, path: _Path) -> None:
        """Writes a database, as the leader has it, into a SQLite file."""
        await finished(self._open().dump(database, path))


async def recover(data_dir: _Path, members: Iterable[NodeInfo]) -> None:
    """Gives the node in a data directory, which must not run, a new set of members."""
    await finished(_native.recover_async(completions(), data_dir, members))
