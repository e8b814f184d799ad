"""Rows whose values have names: ``connection.row_factory = dqlite.Row``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, overload

__all__ = ["Row"]


class _HasDescription(Protocol):
    @property
    def description(self) -> Sequence[Sequence[Any]] | None: ...


class Row(Sequence[Any]):
    """One row: its values by position and by the name of the column.

    A name is first looked for as it is, and then without regard to case.
    """

    __slots__ = ("_names", "_values")

    def __init__(self, cursor: _HasDescription, values: tuple[Any, ...], /) -> None:
        self._names = tuple(column[0] for column in cursor.description or ())
        self._values = values

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._names)

    @overload
    def __getitem__(self, key: int | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, str):
            return self._values[self._position(key)]
        return self._values[key]

    def _position(self, name: str) -> int:
        if name in self._names:
            return self._names.index(name)
        folded = name.casefold()
        for position, other in enumerate(self._names):
            if other.casefold() == folded:
                return position
        raise IndexError(f"no column is called {name!r}")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return self._names == other._names and self._values == other._values

    def __hash__(self) -> int:
        return hash((self._names, self._values))

    def __repr__(self) -> str:
        pairs = zip(self._names, self._values, strict=False)
        return f"<dqlite.Row {', '.join(f'{name}={value!r}' for name, value in pairs)}>"
