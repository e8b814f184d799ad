"""Changes of the schema."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from django.db import OperationalError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.sqlite3 import schema


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """As for SQLite, where a table is made anew while foreign keys are not enforced."""

    def __enter__(self) -> Any:
        super().__enter__()
        # The setting is one of the session, and a session ends with the leader that has it. With
        # foreign keys on, to drop the old table would delete what refers to it.
        if self.atomic_migration:
            with self.connection.cursor() as cursor:
                enforced = cursor.execute("PRAGMA foreign_keys").fetchone()[0]
            if enforced:
                error = OperationalError("the leader changed as the migration began: run it again")
                self.atomic.__exit__(type(error), error, None)
                raise error
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self.connection.check_constraints()
        except BaseException as error:
            # Django leaves the transaction open to the end of the program, and others wait for it.
            self._leave(type(error), error, error.__traceback__)
            raise
        self._leave(exc_type, exc_value, traceback)

    def _leave(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        try:
            BaseDatabaseSchemaEditor.__exit__(self, exc_type, exc_value, traceback)
        finally:
            self.connection.enable_constraint_checking()
