"""The SQL of dates and of a few other things, without functions in Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import operations
from django.utils.functional import cached_property

from . import temporal
from .cursor import adapt
from .temporal import SQL


class DatabaseOperations(operations.DatabaseOperations):
    """As for SQLite, in SQL."""

    compiler_module = "dqlite.django.compiler"

    def date_extract_sql(self, lookup_type: str, sql: str, params: Sequence[Any]) -> SQL:
        return temporal.extract(lookup_type.lower(), sql, params, None, None)

    def datetime_extract_sql(
        self, lookup_type: str, sql: str, params: Sequence[Any], tzname: str | None
    ) -> SQL:
        return temporal.extract(lookup_type.lower(), sql, params, *self._zones(tzname))

    def time_extract_sql(self, lookup_type: str, sql: str, params: Sequence[Any]) -> SQL:
        return temporal.extract_from_time(lookup_type.lower(), sql, params)

    def date_trunc_sql(
        self, lookup_type: str, sql: str, params: Sequence[Any], tzname: str | None = None
    ) -> SQL:
        return temporal.truncate_to_date(lookup_type.lower(), sql, params, *self._zones(tzname))

    def datetime_trunc_sql(
        self, lookup_type: str, sql: str, params: Sequence[Any], tzname: str | None
    ) -> SQL:
        return temporal.truncate(lookup_type.lower(), sql, params, *self._zones(tzname))

    def time_trunc_sql(
        self, lookup_type: str, sql: str, params: Sequence[Any], tzname: str | None = None
    ) -> SQL:
        return temporal.truncate_to_time(lookup_type.lower(), sql, params, *self._zones(tzname))

    def datetime_cast_date_sql(self, sql: str, params: Sequence[Any], tzname: str | None) -> SQL:
        return temporal.date_of(sql, params, *self._zones(tzname))

    def datetime_cast_time_sql(self, sql: str, params: Sequence[Any], tzname: str | None) -> SQL:
        return temporal.time_of(sql, params, *self._zones(tzname))

    def _zones(self, tzname: str | None) -> tuple[str | None, str | None]:
        return self._convert_tznames_to_sql(tzname)

    def subtract_temporals(self, internal_type: str, lhs: SQL, rhs: SQL) -> SQL:
        return temporal.difference(lhs, rhs, internal_type == "TimeField")

    def force_group_by(self) -> list[str]:
        return []

    @cached_property
    def _references_graph(self) -> Any:
        return lru_cache(maxsize=512)(self._referring_tables)

    def _referring_tables(self, table_name: str) -> list[str]:
        """The table, and all that refer to it, directly or through others."""
        query = """
        WITH RECURSIVE found(name) AS (
            SELECT %s
            UNION
            SELECT m.name FROM found, sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
            WHERE m.type = 'table' AND f."table" = found.name COLLATE NOCASE
        ) SELECT name FROM found
        """
        with self.connection.cursor() as cursor:
            return [name for (name,) in cursor.execute(query, (table_name,)).fetchall()]

    def _quote_params_for_last_executed_query(self, params: Sequence[Any]) -> tuple[str, ...]:
        return tuple(map(_quoted, params))


def _quoted(value: Any) -> str:
    """A literal, for people: Django asks SQLite, which here is a call over the network."""
    value = adapt(value)
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"X'{bytes(value).hex().upper()}'"
    return "'{}'".format(str(value).replace("'", "''"))
