"""Django's compilers, with the expressions of `rewrites` written here."""

from __future__ import annotations

from typing import Any

from django.db.models.sql import compiler

from .rewrites import writer


class _Rewriting:
    def compile(self, node: Any) -> tuple[str, Any]:
        kind: Any = type(node)
        write = writer(kind)
        if write is None:
            return super().compile(node)  # type: ignore[misc]
        return write(node, self, self.connection)  # type: ignore[attr-defined]


class SQLCompiler(_Rewriting, compiler.SQLCompiler):
    """SELECT."""


class SQLInsertCompiler(_Rewriting, compiler.SQLInsertCompiler):
    """INSERT."""


class SQLDeleteCompiler(_Rewriting, compiler.SQLDeleteCompiler):
    """DELETE."""


class SQLUpdateCompiler(_Rewriting, compiler.SQLUpdateCompiler):
    """UPDATE."""


class SQLAggregateCompiler(_Rewriting, compiler.SQLAggregateCompiler):
    """SELECT of aggregates over a query."""
