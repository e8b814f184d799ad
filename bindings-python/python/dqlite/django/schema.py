"""Changes of the schema."""

from __future__ import annotations

from django.db import OperationalError
from django.db.backends.sqlite3 import schema


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """As for SQLite, where a table is made anew while foreign keys are not enforced."""

    def __enter__(self) -> DatabaseSchemaEditor:
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
