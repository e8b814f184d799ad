"""The backend: Django's for SQLite, on connections of dqlite's."""

from __future__ import annotations

from typing import Any

import dqlite
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.introspection import DatabaseIntrospection
from django.utils.asyncio import async_unsafe

from .client import DatabaseClient
from .creation import DatabaseCreation
from .cursor import CursorWrapper
from .features import DatabaseFeatures
from .operations import DatabaseOperations
from .schema import DatabaseSchemaEditor
from .target import hold, servers, target


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, of one thread."""

    # What programs, and Django itself, ask when they mean the kind of SQL.
    vendor = "sqlite"
    display_name = "dqlite"

    Database = dqlite
    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        options = dict(self.settings_dict["OPTIONS"])
        mode = options.pop("transaction_mode", None)
        if mode is not None and mode.upper() not in self.transaction_modes:
            raise ImproperlyConfigured(
                f"transaction_mode is {mode!r}, and not one of {sorted(self.transaction_modes)}."
            )
        self.transaction_mode = mode.upper() if mode else None
        self.init_commands = options.pop("init_command", "").split(";")
        if "autocommit" in options:
            raise ImproperlyConfigured("AUTOCOMMIT stands beside OPTIONS, not in it.")
        # Django's fields take text as well; programs that run SQL of their own expect dates.
        return {"target": target(self.settings_dict), "convert": "decltype", **options}

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> dqlite.Connection:
        if not servers(self.settings_dict):
            hold(conn_params["target"])
        connection = dqlite.connect(**conn_params, autocommit=True)
        for command in self.init_commands:
            if command.strip():
                connection.execute(command)
        return connection

    def create_cursor(self, name: str | None = None) -> CursorWrapper:
        return CursorWrapper(self.connection.cursor())

    def get_database_version(self) -> tuple[int, ...]:
        with self.temporary_connection() as cursor:
            version = cursor.execute("SELECT sqlite_version()").fetchone()[0]
        return tuple(int(part) for part in version.split("."))

    @async_unsafe
    def close(self) -> None:
        self.validate_thread_sharing()
        BaseDatabaseWrapper.close(self)

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            self.connection.autocommit = autocommit

    def is_usable(self) -> bool:
        try:
            self.connection.execute("SELECT 1")
        except dqlite.Error:
            return False
        return True

    def is_in_memory_db(self) -> bool:
        return False
