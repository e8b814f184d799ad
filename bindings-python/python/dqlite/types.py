"""The DB-API's constructors of values and its types to compare columns with."""

from __future__ import annotations

import datetime
import time

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Date",
    "DateFromTicks",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
]

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = memoryview


def DateFromTicks(ticks: float) -> datetime.date:
    """The local date of a time in seconds since 1970."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """The local time of day of a time in seconds since 1970."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """The local date and time of a time in seconds since 1970."""
    return Timestamp(*time.localtime(ticks)[:6])


class _DeclaredType:
    """Equal to the declared types that have these words in them, as SQLite reads them."""

    def __init__(self, name: str, *words: str) -> None:
        self._name = name
        self._words = words

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _DeclaredType):
            return self is other
        if isinstance(other, str):
            return _kind(other) == self._name
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"dqlite.{self._name}"

    def has(self, declared: str) -> bool:
        """Whether one of the words is in the declared type."""
        return any(word in declared for word in self._words)


STRING = _DeclaredType("STRING", "CHAR", "CLOB", "TEXT", "STRING", "JSON", "UUID")
BINARY = _DeclaredType("BINARY", "BLOB", "BINARY")
NUMBER = _DeclaredType("NUMBER", "INT", "REAL", "FLOA", "DOUB", "NUM", "DEC", "BOOL")
DATETIME = _DeclaredType("DATETIME", "DATE", "TIME")
# SQLite declares no type for a rowid, unless a column is its other name: INTEGER PRIMARY KEY.
ROWID = _DeclaredType("ROWID", "ROWID")


def _kind(declared: str) -> str | None:
    declared = declared.upper()
    for kind in (ROWID, DATETIME, BINARY, STRING, NUMBER):
        if kind.has(declared):
            return kind._name
    return None
