"""Values come back as they went in, or not at all."""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import math
from pathlib import Path
from typing import Any

import pytest

import dqlite

EXACT: list[Any] = [
    None,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**53 + 1,
    0.0,
    0.1,
    1.0,
    -1.5e308,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "a",
    "with \0 NUL",
    "\N{GRINNING FACE}é",
    "x" * 100_000,
    b"",
    b"\0\xff",
    b"y" * 100_000,
]


@pytest.mark.parametrize("value", EXACT, ids=lambda value: f"{value!r:.20}")
def test_exact_values(connection: dqlite.Connection, value: Any) -> None:
    got = connection.execute("SELECT ?", (value,)).fetchone()[0]
    assert got == value
    assert type(got) is type(value)
    assert connection.execute("SELECT :v", {"v": value}).fetchall() == [(value,)]


def test_the_sign_of_zero(connection: dqlite.Connection) -> None:
    (got,) = connection.execute("SELECT ?", (-0.0,)).fetchone()
    assert math.copysign(1, got) == -1


def test_a_large_blob(connection: dqlite.Connection) -> None:
    blob = bytes(range(256)) * (100 << 12)
    assert connection.execute("SELECT ?", (blob,)).fetchone() == (blob,)


class Colour(enum.IntEnum):
    RED = 7


class Index:
    def __index__(self) -> int:
        return 9


class Words(str):
    pass


AS: list[tuple[Any, Any]] = [
    (True, 1),
    (False, 0),
    (Colour.RED, 7),
    (Index(), 9),
    (Words("subclass"), "subclass"),
    (bytearray(b"abc"), b"abc"),
    (memoryview(b"abcdef")[::2], b"ace"),
    (array.array("H", [1]), array.array("H", [1]).tobytes()),
    (dqlite.Binary(b"abc"), b"abc"),
    (dqlite.Date(2024, 2, 29), "2024-02-29"),
    (dqlite.Time(1, 2, 3), "01:02:03"),
    (dqlite.Timestamp(2024, 2, 29, 1, 2, 3), "2024-02-29 01:02:03"),
    (datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), "2024-02-29 00:00:00+00:00"),
]


@pytest.mark.parametrize(("value", "stored"), AS, ids=lambda value: f"{value!r:.20}")
def test_values_with_another_type(connection: dqlite.Connection, value: Any, stored: Any) -> None:
    (got,) = connection.execute("SELECT ?", (value,)).fetchone()
    assert got == stored
    assert type(got) is type(stored)


REFUSED: list[tuple[Any, type[dqlite.Error], str]] = [
    (2**63, dqlite.DataError, "value.integer"),
    (-(2**63) - 1, dqlite.DataError, "value.integer"),
    (10**100, dqlite.DataError, "value.integer"),
    (math.nan, dqlite.DataError, "value.not_a_number"),
    ("\ud800", dqlite.DataError, "value.text"),
    (decimal.Decimal(1), dqlite.ProgrammingError, "parameter.type"),
    (object(), dqlite.ProgrammingError, "parameter.type"),
    ([1], dqlite.ProgrammingError, "parameter.type"),
    (1j, dqlite.ProgrammingError, "parameter.type"),
]


@pytest.mark.parametrize(("value", "error", "id"), REFUSED, ids=lambda value: f"{value!r:.20}")
def test_what_does_not_fit_is_refused_and_named(
    connection: dqlite.Connection, value: Any, error: type[dqlite.Error], id: str
) -> None:
    with pytest.raises(error, match="parameter 2") as raised:
        connection.execute("SELECT ?, ?", (1, value))
    assert raised.value.id == id
    with pytest.raises(error, match='parameter "named"') as raised:
        connection.execute("SELECT :named", {"named": value})
    assert raised.value.id == id
    with pytest.raises(error):
        connection.executemany("SELECT ?", [(1,), (value,)])
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_text_that_is_not_utf8_is_refused(connection: dqlite.Connection) -> None:
    cursor = connection.execute("SELECT 1, CAST(x'ff' AS TEXT)")
    with pytest.raises(dqlite.DataError, match="column 2") as raised:
        cursor.fetchone()
    assert raised.value.id == "value.text"


def test_exceptions_of_values_come_out(connection: dqlite.Connection) -> None:
    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        connection.execute("SELECT ?", (Broken(),))

    def broken() -> Any:
        yield (1,)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        connection.executemany("SELECT ?", broken())


def test_dates_times_and_booleans_by_declared_type(path: Path) -> None:
    connection = dqlite.connect(path, convert="decltype", autocommit=True)
    connection.execute("CREATE TABLE t (b BOOLEAN, d DATE, s timestamp(3), e DateTime, x TEXT)")
    at = datetime.datetime(2024, 2, 29, 1, 2, 3, 500_000)
    aware = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)
    row = (True, datetime.date(2024, 2, 29), at, aware, "2024-02-29")
    connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO t VALUES (NULL, NULL, NULL, '2024-02-29T00:00:00Z', NULL)")
    first, second = connection.execute("SELECT * FROM t").fetchall()
    assert first == row
    assert [type(value) for value in first] == [type(value) for value in row]
    assert second == (None, None, None, aware, None)
    for column, value in (("b", 2), ("b", "yes"), ("d", "today"), ("s", 7), ("e", b"x")):
        connection.execute("DELETE FROM t")
        connection.execute(f"INSERT INTO t ({column}) VALUES (?)", (value,))
        with pytest.raises(dqlite.DataError) as raised:
            connection.execute(f"SELECT {column} FROM t").fetchone()
        assert raised.value.id == "value.convert"
    connection.close()


def test_the_constructors_of_the_db_api() -> None:
    assert dqlite.DateFromTicks(0) in (dqlite.Date(1970, 1, 1), dqlite.Date(1969, 12, 31))
    assert isinstance(dqlite.TimeFromTicks(0), datetime.time)
    assert dqlite.TimestampFromTicks(3600) > dqlite.TimestampFromTicks(0)
    assert dqlite.STRING == "varchar(10)"
    assert dqlite.STRING != "INTEGER"
    assert dqlite.STRING == dqlite.STRING != dqlite.NUMBER
    assert {dqlite.STRING: 1}[dqlite.STRING] == 1
    assert dqlite.ROWID != None  # noqa: E711
