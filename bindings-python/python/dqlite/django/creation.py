"""Databases for tests."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import dqlite
from django.db import NotSupportedError
from django.db.backends.base.creation import TEST_DATABASE_PREFIX, BaseDatabaseCreation

from .target import let_go, servers, target


class DatabaseCreation(BaseDatabaseCreation):
    """A folder beside the embedded node's, or another database of the same cluster.

    A cluster keeps the names of its databases, so there one is emptied instead of removed.
    """

    @staticmethod
    def is_in_memory_db(database_name: Any) -> bool:
        return False

    def _get_test_db_name(self) -> str:
        settings = self.connection.settings_dict
        if settings["TEST"]["NAME"]:
            return str(settings["TEST"]["NAME"])
        if servers(settings):
            return f"{TEST_DATABASE_PREFIX}{settings['NAME']}"
        folder = Path(settings["NAME"])
        return str(folder.with_name(TEST_DATABASE_PREFIX + folder.name))

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._get_test_db_name()
        if keepdb:
            return name
        if servers(self.connection.settings_dict):
            self._empty(name)
        elif os.path.exists(name):
            if not autoclobber and input(f"Remove {name}? Type 'yes': ") != "yes":
                self.log("Tests cancelled.")
                sys.exit(1)
            self._remove(name)
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        if servers(self.connection.settings_dict):
            self._empty(test_database_name)
        else:
            self._remove(test_database_name)

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        raise NotSupportedError("dqlite.django has no parallel tests: databases are not copied.")

    def test_db_signature(self) -> tuple[Any, ...]:
        settings = self.connection.settings_dict
        return (*servers(settings), str(settings["NAME"]), self._get_test_db_name())

    def _remove(self, folder: str) -> None:
        let_go(os.path.abspath(folder))
        shutil.rmtree(folder)

    def _empty(self, name: str) -> None:
        """Drops everything in a database of the cluster."""
        settings = {**self.connection.settings_dict, "NAME": name}
        options = {**settings["OPTIONS"], "autocommit": True}
        for own in ("transaction_mode", "init_command"):
            options.pop(own, None)
        with dqlite.connect(target(settings), **options) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            # Virtual tables first: their own tables go with them.
            objects = connection.execute(
                "SELECT type, name FROM sqlite_master "
                "WHERE type IN ('trigger', 'view', 'table') AND name NOT LIKE 'sqlite\\_%' ESCAPE "
                "'\\' ORDER BY type = 'table', rootpage"
            ).fetchall()
            for kind, quoted in objects:
                escaped = quoted.replace('"', '""')
                connection.execute(f'DROP {kind} IF EXISTS "{escaped}"')
