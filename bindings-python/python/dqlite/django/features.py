"""What this backend can do, and Django's for SQLite cannot; and the other way round."""

from __future__ import annotations

from django.db.backends.sqlite3 import features
from django.utils.functional import cached_property


class DatabaseFeatures(features.DatabaseFeatures):
    """Of the SQLite that nodes are built with, not of the one that Python brings."""

    minimum_database_version = (3, 45)
    test_db_allows_multiple_connections = True
    can_clone_databases = False
    max_query_params = 32766
    can_alter_table_drop_column = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    supports_json_field = True
    can_introspect_json_field = True
    has_json_object_function = True
    # Django 6 has functions in Python for them.
    supports_bit_aggregations = False
    supports_uuid4_function = False
    supports_uuid7_function = False
    supports_aggregate_order_by_clause = True

    @cached_property
    def server_functions(self) -> frozenset[str]:
        """The SQL functions that the server's SQLite has, in small letters."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT lower(name) FROM pragma_function_list")
            return frozenset(name for (name,) in cursor.fetchall())

    def has_function(self, name: str) -> bool:
        """Whether the server's SQLite has this function."""
        return name in self.server_functions
