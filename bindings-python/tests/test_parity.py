"""The package has what core/spec says, and nothing else: names, parameters and defaults."""

from __future__ import annotations

import dqlite
import dqlite.aio
from dqlite import _tables
from parity import Description, differences


def test_the_module_is_as_described() -> None:
    assert differences(dqlite, "dqlite", asynchronous=False) == []


def test_the_asynchronous_module_is_as_described() -> None:
    assert differences(dqlite.aio, "dqlite.aio", asynchronous=True) == []


def test_both_modules_raise_the_same_errors() -> None:
    for cls in Description().classes:
        assert getattr(dqlite, cls["name"]) is getattr(dqlite.aio, cls["name"])


def test_every_error_of_the_table_has_its_class() -> None:
    for entry in _tables.ERRORS.values():
        assert issubclass(getattr(dqlite, entry.class_name), dqlite.Error)
