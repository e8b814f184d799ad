"""The dialect over the blocking module ``dqlite``: SQLite's, less what a server cannot have."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import dqlite
from sqlalchemy import pool, util
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.url import URL

from .compiler import Compiler
from .target import connect_arguments

# Errors after which a connection is of no use. Others, the loss of a leader above all, are over
# with a rollback: connections look for the new leader themselves.
USELESS = frozenset({"connection.closed", "forked", "node.stopped", "node.failed"})


class Dialect(SQLiteDialect_pysqlite):
    """SQLite, replicated."""

    name = "dqlite"
    driver = "dqlite"
    supports_statement_cache = True
    statement_compiler = Compiler

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        return dqlite

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        return pool.QueuePool

    def create_connect_args(self, url: URL) -> Any:
        return connect_arguments(url)

    def on_connect(self) -> Any:
        return None

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
        return tuple(int(part) for part in version.split("."))

    def retrieve_dbapi_version(self, dbapi: Any) -> Any:
        return util.parse_version_string(getattr(dqlite, "__version__", None))

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return getattr(e, "id", None) in USELESS

    def get_isolation_level_values(self, dbapi_connection: Any) -> Any:
        return ["SERIALIZABLE", "AUTOCOMMIT"]

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "SERIALIZABLE"

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "SERIALIZABLE"

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.autocommit)

    def do_savepoint(self, connection: Any, name: str) -> None:
        # Outside a transaction, the release of a savepoint would commit.
        driver = connection.connection.dbapi_connection
        if not driver.autocommit and not driver.in_transaction:
            driver.begin()
        super().do_savepoint(connection, name)  # type: ignore[no-untyped-call]
