"""Replicated SQLite for asyncio: the names of :mod:`dqlite`, awaited.

>>> import asyncio, dqlite.aio, tempfile
>>> async def main():
...     async with dqlite.aio.connect(tempfile.mkdtemp()) as connection:
...         await connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
...         await connection.execute("INSERT INTO item (name) VALUES (?)", ("lamp",))
...         await connection.commit()
...         async with connection.execute("SELECT id, name FROM item") as cursor:
...             return [row async for row in cursor]
>>> asyncio.run(main())
[(1, 'lamp')]

Calls run without a thread of their own, and results come back to the event loop that the connection
was opened on. A task that is cancelled cancels its call and waits for its end; of a commit the
``CancelledError`` then has an :class:`OutcomeUnknownError` as its cause, if that is so.
"""

from __future__ import annotations

from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING

from .. import _native
from ..errors import (
    BusyError,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotLeaderError,
    NotSupportedError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    UnavailableError,
)
from ..errors import (
    InterruptedError as InterruptedError,
)
from ..errors import (
    TimeoutError as TimeoutError,
)
from ..errors import (
    Warning as Warning,
)
from ..records import DatabaseStatus, Metadata, NodeInfo, NodeStatus, Progress
from ..row import Row
from ._connection import Connection
from ._cursor import Cursor
from ._loop import AwaitableContext as _AwaitableContext
from ._loop import completions as _completions
from ._node import Cluster, Node, _connected, recover

if TYPE_CHECKING:
    from .._tables import Consistency, Convert

# Not in here: names that would hide Python's own from who imports all.
__all__ = [
    "BusyError",
    "Cluster",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "DatabaseStatus",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Metadata",
    "Node",
    "NodeInfo",
    "NodeStatus",
    "NotLeaderError",
    "NotSupportedError",
    "OperationalError",
    "OutcomeUnknownError",
    "ProgrammingError",
    "Progress",
    "Row",
    "UnavailableError",
    "connect",
    "recover",
]


def connect(
    target: str | PathLike[str],
    *,
    database: str | None = None,
    autocommit: bool | None = None,
    consistency: Consistency | None = None,
    max_staleness: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    busy_timeout: float | timedelta | None = None,
    retry: bool | None = None,
    tls_ca: str | PathLike[str] | None = None,
    tls_cert: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
    convert: Convert | None = None,
) -> _AwaitableContext[Connection]:
    """Opens a connection on the running event loop: see :func:`dqlite.connect`.

    ``await`` it, or use it as ``async with``, which closes it at the end.
    """
    back = _completions()
    operation = _native.connect_async(
        back,
        target,
        database=database,
        autocommit=autocommit,
        consistency=consistency,
        max_staleness=max_staleness,
        timeout=timeout,
        busy_timeout=busy_timeout,
        retry=retry,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
        convert=convert,
    )
    return _AwaitableContext(_connected(back, operation))
