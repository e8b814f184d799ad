"""The comparison with core/spec finds what is missing, extra or otherwise.

It is shown modules made from the description itself, once as they should be and then with one
thing changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import pytest

from parity import PROTOCOLS, Description, Table, differences


def source(name: str, asynchronous: bool) -> str:
    """A module that is exactly as described."""
    description = Description()
    lines = [f"__all__ = {sorted(description.names(name))}"]
    lines += [f"{extra} = None" for extra in sorted(description.added("module", name))]
    for cls in description.classes:
        kind = next((kind for kind in description.types if kind["name"] == cls["name"]), {})
        lines += class_lines(description, cls["name"], cls.get("parent", "Exception"), kind, False)
    for kind in description.types:
        if not kind.get("error"):
            lines += class_lines(description, kind["name"], "object", kind, asynchronous)
    lines += [
        line
        for function in description.functions
        for line in call_lines(description, function, asynchronous, is_method=False)
    ]
    return "\n".join(lines)


def class_lines(
    description: Description, name: str, base: str, kind: Table, asynchronous: bool
) -> list[str]:
    lines = [f"class {name}({base}):"]
    for item in kind.get("property", ()):
        spelled = description.spelled(item["name"])
        lines += [" @property", f" def {spelled}(self): ..."]
        if item.get("writable"):
            lines += [f" @{spelled}.setter", f" def {spelled}(self, value): ..."]
    lines += [f" {extra} = None" for extra in sorted(description.added(name)) if kind]
    for method in description.methods(kind):
        lines += [
            f" {line}" for line in call_lines(description, method, asynchronous, is_method=True)
        ]
    for protocol in kind.get("protocols", ()):
        names = PROTOCOLS[protocol][asynchronous and protocol != "sequence"]
        lines += [f" def {method}(self, *given): ..." for method in names]
    constructor = kind.get("constructor")
    if name in description.made_by_hand():
        lines.append(f" def __init__(self, {', '.join(p['name'] for p in kind['property'])}): ...")
    elif constructor:
        lines.append(f" def __init__(self, {parameters(description, constructor)}): ...")
    return [*lines, " pass"]


def call_lines(
    description: Description, call: Table, asynchronous: bool, *, is_method: bool
) -> list[str]:
    waits = asynchronous and call.get("waits") and "python" not in call.get("waits_not_in", ())
    given = "self, " * is_method + parameters(description, call)
    name = description.spelled(call["name"])
    return [f"{'async ' if waits else ''}def {name}({given}): ..."]


def parameters(description: Description, call: Table) -> str:
    def shown(name: str, default: object) -> str:
        return name if default is inspect.Parameter.empty else f"{name}={default!r}"

    plain = len(call.get("parameters", ()))
    every = [shown(name, default) for name, default in description.signature(call)]
    return ", ".join([*every[:plain], *["*"] * (len(every) > plain), *every[plain:]])


def module(text: str) -> ModuleType:
    made = ModuleType("dqlite")
    exec(text, vars(made))
    return made


def found(name: str, asynchronous: bool, change: Callable[[str], str]) -> list[str]:
    before = source(name, asynchronous)
    after = change(before)
    assert after != before, "the change changes nothing"
    return differences(module(after), name, asynchronous=asynchronous)


@pytest.mark.parametrize(("name", "asynchronous"), [("dqlite", False), ("dqlite.aio", True)])
def test_what_is_as_described_passes(name: str, asynchronous: bool) -> None:
    assert differences(module(source(name, asynchronous)), name, asynchronous=asynchronous) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("def executemany(", "def execute_many(", "dqlite.Cursor: there is no executemany"),
        ("def rollback(self, )", "def roll_back(self, )", "roll_back is not described"),
        ("sql, parameters=()", "sql, parameters", "parameters is <class"),
        ("mode='deferred'", "mode='immediate'", "mode is 'immediate' by default"),
        (", retry=None", "", "dqlite.connect: parameters"),
        ("retry=None", "retry=True", "retry is True by default"),
        ("def recover(", "def _recover(", "there is no function recover"),
        ("class Metadata(", "class _Metadata(", "dqlite: there is no Metadata"),
        ("class BusyError(Operational", "class BusyError(Data", "dqlite.BusyError: no class"),
        ("def resolve(", "def solve(", "dqlite.OutcomeUnknownError: there is no resolve"),
        (" @property\n def closed(", " def closed(", "closed: a method"),
        ("def __next__(", "def next(", "there is no __next__"),
        ("def commit(", "async def commit(", "commit: it is asynchronous"),
        ("def __init__(self, id, address, role)", "def __init__(self, id)", "NodeInfo: param"),
        ("'apilevel', ", "", "there is no apilevel"),
        ("setinputsizes = None", "pass", "there is no setinputsizes"),
    ],
)
def test_what_differs_is_found(old: str, new: str, finding: str) -> None:
    findings = found("dqlite", False, lambda text: text.replace(old, new))
    assert any(finding in line for line in findings), findings


def test_a_public_name_too_many_is_found() -> None:
    findings = found("dqlite", False, lambda text: f"{text}\ndef more(): ...")
    assert findings == ["dqlite: more is not described"]


def test_a_call_that_blocks_is_found_in_the_asynchronous_module() -> None:
    change = "async def fetchone(", "def fetchone("
    findings = found("dqlite.aio", True, lambda text: text.replace(*change))
    assert findings == ["dqlite.aio.Cursor.fetchone: it waits, and is not asynchronous"]
