"""How the suite's databases are set up on dqlite."""

from sqlalchemy import event
from sqlalchemy.testing import provision


@provision.generate_driver_url.for_db("dqlite")
def same_driver(url, driver, query):
    """The two drivers are of two runs, one blocking and one asynchronous."""
    return url if driver == url.get_driver_name() else None


@provision.post_configure_testing_engine.for_db("dqlite")
def add_schema(url, engine, options, scope):
    """The other schema of the suite's tests is a database in memory, of one connection."""

    @event.listens_for(engine, "connect")
    def attach(connection, record):
        connection.execute("ATTACH DATABASE ':memory:' AS test_schema")


@provision.temp_table_keyword_args.for_db("dqlite")
def temporary(config, engine):
    """What makes a table a temporary one."""
    return {"prefixes": ["TEMPORARY"]}


@provision.stop_test_class_outside_fixtures.for_db("dqlite")
def close_all(config, db, cls):
    """No connection lives longer than the tests of one class."""
    db.dispose()


@provision.upsert.for_db("dqlite")
def upsert(
    config, table, returning, *, set_lambda=None, sort_by_parameter_order=False, index_elements=None
):
    """SQLite's INSERT ... ON CONFLICT."""
    from sqlalchemy.dialects.sqlite import insert

    statement = insert(table)
    if set_lambda:
        statement = statement.on_conflict_do_update(set_=set_lambda(statement.excluded))
    else:
        statement = statement.on_conflict_do_nothing()
    return statement.returning(*returning, sort_by_parameter_order=sort_by_parameter_order)
