"""The dialect over ``dqlite.aio``, for ``create_async_engine``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sqlalchemy import pool
from sqlalchemy.connectors.asyncio import (
    AsyncAdapt_dbapi_connection,
    AsyncAdapt_dbapi_cursor,
    AsyncAdapt_dbapi_module,
    AsyncAdapt_dbapi_ss_cursor,
    AsyncAdapt_terminate,
)
from sqlalchemy.dialects.sqlite.base import SQLiteExecutionContext
from sqlalchemy.engine.url import URL
from sqlalchemy.util import concurrency

import dqlite.aio

from .dialect import Dialect

# SQLAlchemy 2.1 renamed it.
await_ = getattr(concurrency, "await_", None) or concurrency.await_only


class Cursor(AsyncAdapt_dbapi_cursor):
    """A cursor that has fetched all its rows."""

    __slots__ = ()


class StreamingCursor(AsyncAdapt_dbapi_ss_cursor):
    """A cursor that fetches rows as they are asked for."""

    __slots__ = ()


class Connection(AsyncAdapt_terminate, AsyncAdapt_dbapi_connection):
    """A connection of ``dqlite.aio`` in the shape of a blocking one."""

    __slots__ = ()
    _cursor_cls = Cursor
    _ss_cursor_cls = StreamingCursor

    @property
    def autocommit(self) -> bool:
        return bool(self._connection.autocommit)

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if value:
            self.commit()
        self._connection.autocommit = value

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def begin(self, mode: str = "deferred") -> None:
        await_(self._connection.begin(mode))

    async def _terminate_graceful_close(self) -> None:
        await self._connection.close()

    def _terminate_force_close(self) -> None:
        # What runs ends at once; the rest goes with the object.
        if not self._connection.closed:
            self._connection.interrupt()


class Module(AsyncAdapt_dbapi_module):
    """``dqlite.aio`` in the shape of a DB-API module."""

    def __init__(self, driver: ModuleType, blocking: ModuleType) -> None:
        # The base class takes these from SQLAlchemy 2.1 on.
        self.driver = driver
        self.dbapi_module = blocking

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["dbapi_module"], name)

    def connect(self, *arguments: Any, **keywords: Any) -> Connection:
        opening = keywords.pop("async_creator_fn", self.driver.connect)
        return Connection(self, await_(opening(*arguments, **keywords)))


class ExecutionContext(SQLiteExecutionContext):
    """Streams where a statement asks for it."""

    def create_server_side_cursor(self) -> Any:
        return self._dbapi_connection.cursor(server_side=True)


class AsyncDialect(Dialect):
    """SQLite, replicated, for asyncio."""

    driver = "aio"
    is_async = True
    has_terminate = True
    supports_server_side_cursors = True
    supports_statement_cache = True
    execution_ctx_cls = ExecutionContext

    @classmethod
    def import_dbapi(cls) -> Any:
        return Module(dqlite.aio, dqlite)

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        return pool.AsyncAdaptedQueuePool

    def get_driver_connection(self, connection: Any) -> Any:
        return connection._connection

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.terminate()
