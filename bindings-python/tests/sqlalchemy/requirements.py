"""What the suite may expect of SQLite, and so of dqlite.

Everything that is not named here is as SQLAlchemy takes it to be anywhere. The same requirements
hold for ``--db sqlite``, plain SQLite, except where it is said; so what is left out is what SQLite
lacks.
"""

from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

CAN = """
autocommit boolean_col_expressions check_constraint_reflection computed_columns
computed_columns_reflect_persisted computed_columns_stored computed_columns_virtual create_table_as
create_temp_table_as ctes ctes_with_values date_historic datetime_historic datetime_literals
dbapi_lastrowid emulated_lastrowid emulated_lastrowid_even_with_sequences except_
expression_server_defaults fetch_expression fetch_offset_with_options
fk_constraint_option_reflection_ondelete_noaction fk_constraint_option_reflection_ondelete_restrict
fk_constraint_option_reflection_onupdate_restrict float_or_double_precision_behaves_generically
foreign_key_constraint_name_reflection foreign_key_constraint_option_reflection_ondelete
foreign_key_constraint_option_reflection_onupdate has_temp_table index_ddl_if_exists
indexes_check_column_order indexes_with_expressions infinity_floats
inline_check_constraint_reflection intersect isolation_level json_array_indexes json_type
legacy_unconditional_json_extract mod_operator_as_percent_sign non_updating_cascade nullsordering
nvarchar_types order_by_collation order_by_label_with_expression percent_schema_names
precision_numerics_enotation_small precision_numerics_retains_significant_digits
reflects_pk_names repeated_column_foreign_keys
repeated_remote_col_foreign_keys schemas server_defaults skip_autocommit_rollback
supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_shift
supports_bitwise_xor table_ddl_if_exists temp_table_names temporary_views tuple_in
tuple_in_w_empty unicode_ddl update_from view_column_reflection view_reflection views
window_functions window_range window_range_numeric
"""
CANNOT = """
implicitly_named_constraints independent_connections independent_readonly_connections
nested_aggregates
"""
# SQLite stores a decimal number as a floating-point one, and has no parentheses within a UNION.
FAILS = """
cast_precision_numerics_many_significant_digits numeric_received_as_decimal_untyped
parens_in_union_contained_select_w_limit_offset parens_in_union_contained_select_wo_limit_offset
precision_numerics_many_significant_digits
"""


def _is_dqlite(config):
    return config.db.name == "dqlite"


class Requirements(SuiteRequirements):
    """SQLite's, and what dqlite has beyond ``sqlite://`` in memory."""

    @property
    def foreign_keys(self):
        """Whether they are enforced."""
        return exclusions.only_if(_is_dqlite)

    on_update_cascade = foreign_keys
    on_update_or_deferrable_fks = foreign_keys
    savepoints = foreign_keys

    @property
    def regexp_match(self):
        """``sqlite://`` adds a function of Python's to SQL; SQLite has none of its own."""
        return exclusions.only_if(_has_regexp)

    @property
    def reflect_table_options(self):
        return exclusions.only_if(
            lambda: "get_table_options" in vars(SQLiteDialect), "SQLAlchemy 2.1 brought it"
        )

    @property
    def async_dialect(self):
        return exclusions.only_if(lambda config: config.db.dialect.is_async)

    @property
    def server_side_cursors(self):
        """The suite knows the cursors that stream by the names of other drivers."""
        return exclusions.closed()

    @property
    def json_index_supplementary_unicode_element(self):
        return exclusions.only_if(lambda config: config.db.dialect.server_version_info >= (3, 45))

    def get_isolation_levels(self, config):
        levels = ["SERIALIZABLE", "AUTOCOMMIT"]
        if not _is_dqlite(config):
            levels = config.db.dialect.get_isolation_level_values(None)
        return {"default": "SERIALIZABLE", "supported": levels}

    def get_order_by_collation(self, config):
        return "NOCASE"


def _has_regexp(config):
    with config.db.connect() as connection:
        return connection.exec_driver_sql(
            "SELECT count(*) FROM pragma_function_list WHERE name = 'regexp'"
        ).scalar()


def _always(rule):
    return property(lambda self: rule())


for _names, _rule in ((CAN, exclusions.open), (CANNOT, exclusions.closed)):
    for _name in _names.split():
        setattr(Requirements, _name, _always(_rule))
for _name in FAILS.split():
    setattr(Requirements, _name, _always(lambda: exclusions.fails_if(lambda: True, "SQLite")))
