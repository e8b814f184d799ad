"""Cursors, whose calls are awaited and whose rows are not, once their batch has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import _native
from .._typing import Column, Parameters
from ..errors import _from_table
from ._loop import check_loop, finished

if TYPE_CHECKING:
    from ._connection import Connection

# More rows than any list holds.
_ALL = 2**31


class Cursor:
    """Runs statements and holds one result at a time. Rows arrive in batches while it is read."""

    __slots__ = ("__weakref__", "_closed", "_connection", "_native", "arraysize", "row_factory")
    __module__ = "dqlite.aio"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._native: _native.AsyncCursor = connection._open().cursor()
        self._closed = False
        self.arraysize: int = 1
        """How many rows ``fetchmany`` gives by default."""
        self.row_factory: Callable[[Cursor, tuple[Any, ...]], Any] | None = connection.row_factory
        """Makes rows from this cursor and a tuple; None for the tuple itself."""

    def _open(self) -> _native.AsyncCursor:
        self._connection._open()
        if self._closed:
            raise _from_table("cursor.closed", "the cursor is closed")
        return self._native

    @property
    def connection(self) -> Connection:
        """The connection of this cursor."""
        return self._connection

    @property
    def description(self) -> tuple[Column, ...] | None:
        """Seven items for each column of the result, the first two its name and declared type."""
        return self._native.description

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed; -1 if it changes none."""
        return self._native.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The rowid of the last row that was inserted."""
        return self._native.lastrowid

    async def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Runs a statement."""
        await finished(self._open().execute(sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Parameters]) -> Cursor:
        """Runs a statement once for each set of parameters."""
        await finished(self._open().executemany(sql, parameters))
        return self

    async def executescript(self, sql: str) -> Cursor:
        """Runs any number of statements."""
        await finished(self._open().executescript(sql))
        return self

    async def fetchone(self) -> Any:
        """The next row; None after the last."""
        native = self._open()
        while (row := native.row()) is None:
            if not native.wants():
                return None
            await finished(native.more())
        return row if self.row_factory is None else self.row_factory(self, row)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows, ``arraysize`` of them by default."""
        return await self._fetch(self.arraysize if size is None else size)

    async def fetchall(self) -> list[Any]:
        """All remaining rows."""
        return await self._fetch(_ALL)

    async def _fetch(self, count: int) -> list[Any]:
        native = self._open()
        rows: list[Any] = []
        native.rows(0, rows)
        if count < 0:
            count = _ALL
        while len(rows) < count:
            native.rows(min(count - len(rows), _ALL), rows)
            if len(rows) >= count or not native.wants():
                break
            await finished(native.more())
        factory = self.row_factory
        return rows if factory is None else [factory(self, row) for row in rows]

    async def close(self) -> None:
        """Closes the cursor. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        if not self._connection.closed:
            await finished(self._native.close())

    def setinputsizes(self, sizes: object) -> None:
        """Nothing, as the DB-API allows: sizes need no announcement."""

    def setoutputsize(self, size: object, column: object = None) -> None:
        """Nothing, as the DB-API allows."""

    def __aiter__(self) -> Cursor:
        return self

    async def __anext__(self) -> Any:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def __aenter__(self) -> Cursor:
        check_loop(self._connection._completions)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
