"""Connections on an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from os import PathLike
from types import TracebackType
from typing import Any, TypeVar, overload

from .. import _native, errors
from .._tables import TransactionMode
from .._typing import Parameters
from ..errors import Error, _from_table
from ..records import Progress
from ._cursor import Cursor
from ._loop import AwaitableContext, check_loop, finished

_T = TypeVar("_T")


class Connection:
    """A session with one database, for one event loop. Calls of several tasks take turns."""

    __slots__ = ("__weakref__", "_completions", "_native", "row_factory")
    __module__ = "dqlite.aio"

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, completions: _native.Completions, native: _native.AsyncConnection) -> None:
        self._completions = completions
        self._native = native
        self.row_factory: Callable[[Cursor, tuple[Any, ...]], Any] | None = None
        """Makes rows from a cursor and a tuple; None for the tuple itself."""

    def _open(self) -> _native.AsyncConnection:
        check_loop(self._completions)
        return self._native

    def cursor(self) -> Cursor:
        """A new cursor."""
        if self.closed:
            raise _from_table("connection.closed", "the connection is closed")
        return Cursor(self)

    def execute(self, sql: str, parameters: Parameters = ()) -> AwaitableContext[Cursor]:
        """Runs a statement in a new cursor."""
        return AwaitableContext(self.cursor().execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> AwaitableContext[Cursor]:
        """Runs a statement once for each set of parameters, in a new cursor."""
        return AwaitableContext(self.cursor().executemany(sql, parameters))

    def executescript(self, sql: str) -> AwaitableContext[Cursor]:
        """Runs any number of statements, in a new cursor."""
        return AwaitableContext(self.cursor().executescript(sql))

    async def begin(self, mode: TransactionMode = "deferred") -> None:
        """Opens a transaction."""
        await finished(self._open().begin(mode))

    async def commit(self) -> None:
        """Commits the open transaction, if there is one."""
        await finished(self._open().commit())

    async def rollback(self) -> None:
        """Rolls the open transaction back, if there is one."""
        await finished(self._open().rollback())

    @overload
    def transaction(
        self, body: None = None, mode: TransactionMode = "immediate"
    ) -> Transaction: ...
    @overload
    def transaction(
        self, body: Callable[[Connection], Awaitable[_T]], mode: TransactionMode = "immediate"
    ) -> Awaitable[_T]: ...
    def transaction(
        self,
        body: Callable[[Connection], Awaitable[_T]] | None = None,
        mode: TransactionMode = "immediate",
    ) -> Transaction | Awaitable[_T]:
        """A transaction around a block, ``async with``; or, with a function, run and committed.

        The function is called with the connection, and again in a new transaction where its failure
        is one of the moment and nothing of it is left.
        """
        if body is None:
            return Transaction(self, mode)
        return self._run(body, mode)

    async def _run(self, body: Callable[[Connection], Awaitable[_T]], mode: TransactionMode) -> _T:
        tries = self._open().tries()
        while True:
            try:
                await self.begin(mode)
                value = await body(self)
                await self.commit()
                return value
            except BaseException as failure:
                await self._leave()
                if not isinstance(failure, Error) or failure.retryable == "no":
                    raise
                if not await finished(tries.pause()):
                    raise

    async def _leave(self) -> None:
        """Rolls back after a failure, whose own error says more than one of this would."""
        if not self.closed:
            with suppress(Error):
                await self.rollback()

    def interrupt(self) -> None:
        """Cancels the call that runs on this connection now."""
        self._native.interrupt()

    async def backup(
        self,
        path: str | PathLike[str],
        progress: Callable[[Progress], object] | None = None,
    ) -> None:
        """Copies the database into a file.

        ``progress`` is called by the event loop; if it says False, or raises, the copy ends.
        """
        if progress is None:
            await finished(self._open().backup(path, None))
            return
        raised: list[BaseException] = []

        def told(at: Progress) -> None:
            try:
                goes_on = progress(at)
            except BaseException as error:
                raised.append(error)
                goes_on = False
            if goes_on is False:
                self.interrupt()

        try:
            await finished(self._open().backup(path, told))
        finally:
            if raised:
                raise raised[0]

    async def close(self) -> None:
        """Closes the connection. An open transaction is rolled back. Twice is fine."""
        await finished(self._open().close())

    async def wait_for(self, index: int) -> None:
        """Waits until what is read here has everything up to this index."""
        await finished(self._open().wait_for(index))

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._native.in_transaction

    @property
    def autocommit(self) -> bool:
        """Whether each statement commits by itself.

        It cannot be turned on while a transaction is open: that takes ``await commit()`` first.
        """
        return self._native.autocommit

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        self._native.autocommit = on

    @property
    def total_changes(self) -> int:
        """Rows changed since the connection was opened."""
        return self._native.total_changes

    @property
    def last_index(self) -> int:
        """The index of the replicated log that the connection has seen."""
        return self._native.last_index

    @property
    def closed(self) -> bool:
        """Whether the connection was closed."""
        return self._native.closed

    async def __aenter__(self) -> Connection:
        self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<dqlite.aio.Connection, {'closed' if self.closed else 'open'}>"


class Transaction:
    """``async with connection.transaction():``"""

    __slots__ = ("_connection", "_mode")
    __module__ = "dqlite.aio"

    def __init__(self, connection: Connection, mode: TransactionMode) -> None:
        self._connection = connection
        self._mode: TransactionMode = mode

    async def __aenter__(self) -> Connection:
        await self._connection.begin(self._mode)
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            await self._connection._leave()
            return
        try:
            await self._connection.commit()
        except BaseException:
            await self._connection._leave()
            raise
