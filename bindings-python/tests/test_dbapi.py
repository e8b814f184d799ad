"""The DB-API: connections, cursors, transactions, errors."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import dqlite


@pytest.fixture
def other(connection: dqlite.Connection, path: Path) -> Iterator[dqlite.Connection]:
    """Another connection to the same database, which does not wait for its turn to write."""
    opened = dqlite.connect(path, busy_timeout=0)
    yield opened
    opened.close()


def table(connection: dqlite.Connection, rows: int = 0) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    connection.executemany("INSERT INTO t (name) VALUES (?)", ((f"n{i}",) for i in range(rows)))
    connection.commit()


def test_the_module_says_what_it_is() -> None:
    assert (dqlite.apilevel, dqlite.threadsafety, dqlite.paramstyle) == ("2.0", 2, "qmark")
    assert dqlite.sqlite_version_info >= (3, 45, 0)
    assert ".".join(map(str, dqlite.sqlite_version_info)) == dqlite.sqlite_version


def test_a_connection_has_the_classes_of_errors(connection: dqlite.Connection) -> None:
    assert connection.Error is dqlite.Error
    assert connection.IntegrityError is dqlite.IntegrityError
    with pytest.raises(connection.OperationalError):
        connection.execute("SELECT")


def test_a_write_begins_a_transaction_and_a_read_does_not(connection: dqlite.Connection) -> None:
    assert connection.autocommit is False
    connection.execute("SELECT 1")
    assert not connection.in_transaction
    connection.execute("CREATE TABLE t (a)")
    assert connection.in_transaction
    connection.rollback()
    with pytest.raises(dqlite.OperationalError, match="no such table"):
        connection.execute("SELECT * FROM t")


def test_a_block_commits_or_rolls_back_and_leaves_the_connection_open(
    connection: dqlite.Connection,
) -> None:
    table(connection)
    with connection as same:
        assert same is connection
        connection.execute("INSERT INTO t (name) VALUES ('kept')")
    with pytest.raises(ZeroDivisionError), connection:
        connection.execute("INSERT INTO t (name) VALUES ('gone')")
        raise ZeroDivisionError
    assert not connection.in_transaction
    assert connection.execute("SELECT name FROM t").fetchall() == [("kept",)]


def test_autocommit_can_be_set(path: Path) -> None:
    with dqlite.connect(path, autocommit=True) as connection:
        assert connection.autocommit
        connection.execute("CREATE TABLE t (a)")
        assert not connection.in_transaction
        connection.autocommit = False
        connection.execute("INSERT INTO t VALUES (1)")
        assert connection.in_transaction
        connection.autocommit = True
        assert not connection.in_transaction
        connection.rollback()
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.close()


def test_transactions_as_blocks(connection: dqlite.Connection) -> None:
    table(connection)
    with connection.transaction() as same:
        assert same is connection
        assert connection.in_transaction
        connection.execute("INSERT INTO t (name) VALUES ('a')")
    with pytest.raises(KeyError), connection.transaction(mode="deferred"):
        connection.execute("INSERT INTO t (name) VALUES ('b')")
        raise KeyError
    assert connection.execute("SELECT name FROM t").fetchall() == [("a",)]
    with pytest.raises(dqlite.InterfaceError) as wrong:
        connection.transaction(mode="wild")  # type: ignore[call-overload]
    assert wrong.value.id == "option.value"


def test_a_transaction_as_a_function_is_run_again_where_that_is_asked_for(
    connection: dqlite.Connection, other: dqlite.Connection
) -> None:
    table(connection)
    tries = 0

    def body(it: dqlite.Connection) -> str:
        nonlocal tries
        tries += 1
        it.execute("INSERT INTO t (name) VALUES (?)", (f"try {tries}",))
        if tries < 3:
            raise busy
        return "done"

    busy = provoke_busy(connection, other)
    assert connection.transaction(body) == "done"
    assert tries == 3
    assert connection.execute("SELECT name FROM t").fetchall() == [("try 3",)]


def provoke_busy(connection: dqlite.Connection, other: dqlite.Connection) -> dqlite.Error:
    """An error that says: try again."""
    with connection.transaction(), pytest.raises(dqlite.BusyError) as busy:
        other.execute("INSERT INTO t (name) VALUES ('late')")
    assert busy.value.retryable == "yes"
    return busy.value


def test_a_function_that_fails_otherwise_is_not_run_again(connection: dqlite.Connection) -> None:
    table(connection)
    tries = 0

    def body(it: dqlite.Connection) -> None:
        nonlocal tries
        tries += 1
        it.execute("INSERT INTO t (name) VALUES ('x')")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        connection.transaction(body)
    assert tries == 1
    assert not connection.in_transaction

    def broken(it: dqlite.Connection) -> None:
        it.execute("INSERT INTO t VALUES (1, 'a'), (1, 'b')")

    with pytest.raises(dqlite.IntegrityError) as unique:
        connection.transaction(broken)
    assert unique.value.id == "constraint.primary_key"


def test_fetching(connection: dqlite.Connection) -> None:
    table(connection, rows=1000)
    cursor = connection.cursor()
    assert cursor.arraysize == 1
    assert cursor.execute("SELECT id FROM t ORDER BY id") is cursor
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    cursor.arraysize = 3
    assert cursor.fetchmany() == [(3,), (4,), (5,)]
    assert cursor.fetchmany(size=2) == [(6,), (7,)]
    assert cursor.fetchmany(0) == []
    assert next(cursor) == (8,)
    rest = cursor.fetchall()
    assert rest == [(i,) for i in range(9, 1001)]
    assert (cursor.fetchone(), cursor.fetchmany(), cursor.fetchall()) == (None, [], [])
    assert list(cursor) == []
    assert [row for (row,) in connection.execute("SELECT id FROM t")] == list(range(1, 1001))


def test_there_is_nothing_to_fetch_without_a_result(connection: dqlite.Connection) -> None:
    cursor = connection.cursor()
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: next(cursor)):
        with pytest.raises(dqlite.ProgrammingError) as nothing:
            fetch()
        assert nothing.value.id == "cursor.no_result"
    cursor.execute("CREATE TABLE t (a)")
    with pytest.raises(dqlite.ProgrammingError):
        cursor.fetchall()


def test_what_a_cursor_tells(connection: dqlite.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.connection is connection
    assert (cursor.description, cursor.rowcount, cursor.lastrowid) == (None, -1, None)
    cursor.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(9), at TIMESTAMP, b BLOB)")
    cursor.execute("INSERT INTO t (name) VALUES ('a'), ('b')")
    assert (cursor.description, cursor.rowcount, cursor.lastrowid) == (None, 2, 2)
    cursor.execute("SELECT id, name AS n, at, b, 1 + 1 FROM t WHERE 0")
    assert cursor.description is not None
    assert [column[:2] for column in cursor.description] == [
        ("id", "INTEGER"),
        ("n", "VARCHAR(9)"),
        ("at", "TIMESTAMP"),
        ("b", "BLOB"),
        ("1 + 1", None),
    ]
    assert all(column[2:] == (None,) * 5 for column in cursor.description)
    types = [column[1] for column in cursor.description]
    assert types[:4] == [dqlite.NUMBER, dqlite.STRING, dqlite.DATETIME, dqlite.BINARY]
    assert types[1] != dqlite.NUMBER
    assert cursor.rowcount == -1
    assert cursor.fetchall() == []
    cursor.executemany("INSERT INTO t (name) VALUES (?)", [("c",), ("d",), ("e",)])
    assert cursor.rowcount == 3
    assert connection.total_changes == 5
    cursor.setinputsizes([1])
    cursor.setoutputsize(1)
    cursor.setoutputsize(1, 2)


def test_rows_that_a_write_gives(connection: dqlite.Connection) -> None:
    table(connection)
    cursor = connection.execute("INSERT INTO t (name) VALUES ('a'), ('b') RETURNING id, name")
    assert cursor.fetchall() == [(1, "a"), (2, "b")]
    assert cursor.rowcount == 2


def test_parameters(connection: dqlite.Connection) -> None:
    def one(sql: str, parameters: object) -> object:
        return connection.execute(sql, parameters).fetchone()  # type: ignore[arg-type]

    assert one("SELECT ?, ?", (1, "a")) == (1, "a")
    assert one("SELECT ?2, ?1", [1, 2]) == (2, 1)
    assert one("SELECT :a, @b, $c", {"a": 1, "b": 2, "c": 3}) == (1, 2, 3)
    assert one("SELECT :a, :b", (1, 2)) == (1, 2)
    assert one("SELECT ?", range(7, 8)) == (7,)
    for sql, parameters in [
        ("SELECT ?", ()),
        ("SELECT ?", (1, 2)),
        ("SELECT :a", {}),
        ("SELECT :a", {"a": 1, "b": 2}),
    ]:
        with pytest.raises(dqlite.ProgrammingError) as mismatch:
            one(sql, parameters)
        assert (mismatch.value.id, mismatch.value.code) == ("parameter.mismatch", 25)
    for parameters in ("a", b"a", 1, {1: 2}, {"a"}, iter([1])):
        with pytest.raises(dqlite.ProgrammingError) as kind:
            one("SELECT ?", parameters)
        assert kind.value.id == "parameter.type"


def test_sql_is_text(connection: dqlite.Connection) -> None:
    for sql in (b"SELECT 1", 1, None):
        with pytest.raises(dqlite.ProgrammingError) as kind:
            connection.execute(sql)  # type: ignore[arg-type]
        assert kind.value.id == "parameter.type"
    with pytest.raises(dqlite.DataError) as surrogate:
        connection.execute("SELECT '\ud800'")
    assert surrogate.value.id == "value.text"
    for sql in ("", "SELECT 1; SELECT 2"):
        with pytest.raises(dqlite.Error):
            connection.execute(sql)


def test_errors_say_what_sqlite3_says_and_more(connection: dqlite.Connection) -> None:
    table(connection, rows=1)
    with pytest.raises(dqlite.IntegrityError) as raised:
        connection.execute("INSERT INTO t (name) VALUES ('n0')")
    error = raised.value
    assert str(error) == error.message == "UNIQUE constraint failed: t.name"
    assert (error.sqlite_errorcode, error.sqlite_errorname) == (2067, "SQLITE_CONSTRAINT_UNIQUE")
    assert (error.code, error.name) == (2067, "SQLITE_CONSTRAINT_UNIQUE")
    assert (error.id, error.retryable, error.outcome) == ("constraint.unique", "no", "not_applied")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is dqlite.IntegrityError
    assert (again.id, again.code, str(again)) == (error.id, error.code, str(error))


def test_use_after_close(connection: dqlite.Connection, path: Path) -> None:
    cursor = connection.execute("SELECT 1 UNION SELECT 2")
    closed = connection.cursor()
    closed.close()
    closed.close()
    for use in (lambda: closed.execute("SELECT 1"), closed.fetchone, closed.fetchall):
        with pytest.raises(dqlite.ProgrammingError) as error:
            use()
        assert error.value.id == "cursor.closed"
    connection.close()
    connection.close()
    assert connection.closed
    for use in (
        connection.cursor,
        connection.commit,
        connection.rollback,
        connection.__enter__,
        lambda: connection.execute("SELECT 1"),
        lambda: cursor.execute("SELECT 1"),
        cursor.fetchone,
    ):
        with pytest.raises(dqlite.ProgrammingError) as error:
            use()
        assert error.value.id == "connection.closed"
    assert "closed" in repr(connection)


def test_the_last_connection_closes_the_node(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    for number in range(3):
        first, second = dqlite.connect(folder), dqlite.connect(folder)
        first.execute("CREATE TABLE IF NOT EXISTS t (a)")
        first.execute("INSERT INTO t VALUES (?)", (number,))
        first.commit()
        first.close()
        assert second.execute("SELECT max(a) FROM t").fetchone() == (number,)
        second.close()


def test_rows_with_names(connection: dqlite.Connection) -> None:
    connection.row_factory = dqlite.Row
    cursor = connection.execute("SELECT 1 AS one, 'b' AS Two")
    row = cursor.fetchone()
    assert (row["one"], row["two"], row[0], row[-1], row[:]) == (1, "b", 1, "b", (1, "b"))
    assert (row.keys(), len(row), list(row), tuple(row)) == (["one", "Two"], 2, [1, "b"], (1, "b"))
    with pytest.raises(IndexError):
        row["three"]
    with pytest.raises(IndexError):
        row[2]
    same = connection.execute("SELECT 1 AS one, 'b' AS Two").fetchall()[0]
    assert (row == same, hash(row) == hash(same), row == (1, "b")) == (True, True, False)
    assert "one=1" in repr(row)
    cursor.row_factory = lambda it, values: {it.description[0][0]: values[0]}
    assert list(cursor.execute("SELECT 3 AS three")) == [{"three": 3}]
    assert cursor.execute("SELECT 3 AS three").fetchmany(5) == [{"three": 3}]
    connection.row_factory = None
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_backup(connection: dqlite.Connection, tmp_path: Path) -> None:
    table(connection, rows=5000)
    told: list[dqlite.Progress] = []
    connection.backup(tmp_path / "copy.db", told.append)
    assert told
    assert told[-1].remaining_pages == 0
    assert told[-1].total_pages > 1
    copied = sqlite3.connect(tmp_path / "copy.db").execute("SELECT count(*) FROM t").fetchone()
    assert copied == (5000,)
    with pytest.raises(dqlite.InterruptedError):
        connection.backup(tmp_path / "half.db", lambda _: False)
    with pytest.raises(ZeroDivisionError):
        connection.backup(tmp_path / "half.db", lambda _: 1 / 0)
    with pytest.raises(dqlite.InterfaceError, match="in the middle"):
        connection.backup(tmp_path / "half.db", lambda _: connection.execute("SELECT 1"))
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (5000,)


def test_options(path: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        dqlite.connect(path, colour="red")  # type: ignore[call-arg]
    for wrong in (
        {"consistency": "wild"},
        {"timeout": "soon"},
        {"timeout": -1},
        {"timeout": True},
        {"busy_timeout": float("nan")},
        {"convert": "all"},
        {"retry": "yes"},
        {"database": 7},
    ):
        with pytest.raises(dqlite.InterfaceError) as error:
            dqlite.connect(path, **wrong)  # type: ignore[arg-type]
        assert error.value.id == "option.value"
    with pytest.raises(dqlite.InterfaceError) as error:
        dqlite.connect("dqlite://")
    assert error.value.id == "target"
    with pytest.raises(dqlite.InterfaceError):
        dqlite.connect(7)  # type: ignore[arg-type]
    url = "dqlite://127.0.0.1:1/app?autocommit=true"
    assert dqlite.connect(url).autocommit is True
    assert dqlite.connect("dqlite://127.0.0.1:1/app").autocommit is False


def test_an_index_to_wait_for(connection: dqlite.Connection, other: dqlite.Connection) -> None:
    table(connection, rows=3)
    assert connection.last_index > 0
    other.wait_for(connection.last_index)
    assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)
