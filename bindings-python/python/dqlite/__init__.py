"""Replicated SQLite behind the DB-API.

>>> import dqlite, tempfile
>>> connection = dqlite.connect(tempfile.mkdtemp())
>>> with connection:
...     _ = connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
...     _ = connection.execute("INSERT INTO item (name) VALUES (?)", ("lamp",))
>>> connection.execute("SELECT id, name FROM item").fetchall()
[(1, 'lamp')]
>>> connection.close()

:func:`connect` takes the path of a folder, which a node in this process then serves, or the URL of
a cluster, ``dqlite://host:port,host:port/database``. :class:`Node` makes this process a member of a
cluster. ``dqlite.aio`` has the same names for asyncio.
"""

from __future__ import annotations

from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Literal

from . import _native
from ._native import (
    Cluster,
    Connection,
    Cursor,
    Node,
    recover,
    sqlite_version,
)
from ._native import (
    __version__ as __version__,
)
from .errors import (
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
from .errors import (
    InterruptedError as InterruptedError,
)
from .errors import (
    TimeoutError as TimeoutError,
)
from .errors import (
    Warning as Warning,
)
from .records import DatabaseStatus, Metadata, NodeInfo, NodeStatus, Progress
from .row import Row
from .types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

if TYPE_CHECKING:
    from ._tables import Consistency, Convert

# Not in here: names that would hide Python's own from who imports all.
__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "BusyError",
    "Cluster",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "DatabaseStatus",
    "Date",
    "DateFromTicks",
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
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "UnavailableError",
    "apilevel",
    "connect",
    "paramstyle",
    "recover",
    "sqlite_version",
    "sqlite_version_info",
    "threadsafety",
]

apilevel: Literal["2.0"] = "2.0"
threadsafety: Literal[2] = 2
"""Threads may share the module and connections; calls on one connection take turns."""
paramstyle: Literal["qmark"] = "qmark"
"""Named parameters, ``:name``, ``@name`` and ``$name``, are understood as well."""
sqlite_version_info: tuple[int, ...] = tuple(int(part) for part in sqlite_version.split("."))


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
) -> Connection:
    """Opens a connection.

    ``target`` is the path of a folder, which a node in this process serves for all its connections,
    or the URL of a cluster, ``dqlite://host:port,host:port/database?option=value``. Times are in
    seconds, or ``timedelta``.

    ``autocommit`` is off unless the URL turns it on: the first statement that writes begins a
    transaction. The other options are those of the reference.
    """
    return _native.connect(
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


def _add_errors() -> None:
    """The DB-API wants the classes of errors on connections too."""
    names = (
        *("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError"),
        *("IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"),
    )
    for name in names:
        setattr(Connection, name, globals()[name])


_add_errors()
