"""The types that more than one module speaks of."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import SupportsIndex, TypeAlias

Value: TypeAlias = (
    None
    | str
    | int
    | float
    | bytes
    | bytearray
    | memoryview
    | datetime.date
    | datetime.time
    | SupportsIndex
)
"""What a value of SQLite is made from. Other objects with a buffer are taken as well."""

Parameters: TypeAlias = Sequence[Value] | Mapping[str, Value]
"""The values for a statement's placeholders: by position or by name."""

Seconds: TypeAlias = float | datetime.timedelta
"""A span of time."""

Path: TypeAlias = str | PathLike[str]

Column: TypeAlias = tuple[str, str | None, None, None, None, None, None]
"""Name and declared type of a column, and what else the DB-API would have."""
