"""Django's way of writing parameters, on a cursor of dqlite's."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

PLACEHOLDER = re.compile(r"(?<!%)%s")
NAMED = re.compile(r"(?<!%)%\((\w+)\)s")

# As Django's backend for SQLite stores them. Its fields come with text already.
ADAPTERS: dict[type, Callable[[Any], Any]] = {
    decimal.Decimal: str,
    datetime.date: datetime.date.isoformat,
    datetime.datetime: lambda value: value.isoformat(" "),
}


class CursorWrapper:
    """Takes ``%s`` and ``%(name)s`` for placeholders."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def execute(self, query: str, params: Any = None) -> CursorWrapper:
        """Runs a statement. Without parameters, it is not looked through for placeholders."""
        if params is None:
            self.cursor.execute(query)
        elif isinstance(params, Mapping):
            self.cursor.execute(*_named(query, params))
        else:
            self.cursor.execute(_positional(query), _adapted(params))
        return self

    def executemany(self, query: str, param_list: Iterable[Any]) -> CursorWrapper:
        """Runs a statement once for each set of parameters."""
        sets = list(param_list)
        if sets and isinstance(sets[0], Mapping):
            text, _ = _named(query, sets[0])
            self.cursor.executemany(text, [_named(query, params)[1] for params in sets])
        else:
            self.cursor.executemany(_positional(query), [_adapted(params) for params in sets])
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.cursor)


def _positional(query: str) -> str:
    return PLACEHOLDER.sub("?", query).replace("%%", "%")


def _named(query: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    # Names that are not in the text are no mistake to Django, but are one to dqlite.
    used = set(NAMED.findall(query))
    text = query % {name: f":{name}" for name in params}
    return text, {name: adapt(value) for name, value in params.items() if name in used}


def _adapted(params: Sequence[Any]) -> list[Any]:
    return [adapt(value) for value in params]


def adapt(value: Any) -> Any:
    """What is stored for a value."""
    adapter = ADAPTERS.get(type(value))
    return value if adapter is None else adapter(value)
