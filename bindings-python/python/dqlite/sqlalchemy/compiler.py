"""SQL for a SQLite without functions in Python: ``sqlite://`` brings a ``floor`` of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler


class Compiler(SQLiteCompiler):
    """Writes ``floor`` in terms of what every SQLite has."""

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> Any:
        if binary.right.type._type_affinity is types.Integer:
            return super().visit_floordiv_binary(  # type: ignore[no-untyped-call]
                binary, operator, **kw
            )
        return _floor(f"{self.process(binary.left, **kw)} / {self.process(binary.right, **kw)}")

    def visit_floor_func(self, fn: Any, **kw: Any) -> str:
        (argument,) = fn.clauses
        return _floor(self.process(argument, **kw))


def _floor(sql: str) -> str:
    # From 2^53 on there are no fractions, and soon no integers that could hold the number.
    return (
        f"CASE WHEN abs({sql}) < 9007199254740992 "
        f"THEN CAST(({sql}) AS INTEGER) - (({sql}) < CAST(({sql}) AS INTEGER)) ELSE {sql} END"
    )
