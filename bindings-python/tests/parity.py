"""Compares a package, as it presents itself, with the description in core/spec."""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LANGUAGE = "python"
SPEC = Path(__file__).resolve().parents[2] / "core" / "spec"
# What marks a plain function as one whose result is waited for.
AWAITABLE = ("Await", "Coroutine", "Future", "Context")
PROTOCOLS = {
    "context": (("__enter__", "__exit__"), ("__aenter__", "__aexit__")),
    "iterator": (("__iter__", "__next__"), ("__aiter__", "__anext__")),
    "sequence": (("__len__", "__getitem__", "__iter__"),) * 2,
}
Table = dict[str, Any]


def _is_here(item: Table) -> bool:
    return LANGUAGE not in item.get("absent_in", ())


class Description:
    """What core/spec says of Python."""

    def __init__(self) -> None:
        files = {name: (SPEC / f"{name}.toml").read_text("utf-8") for name in self._FILES}
        tables = {name: tomllib.loads(text) for name, text in files.items()}
        interface = tables["interface"]
        self.functions: list[Table] = list(filter(_is_here, interface["function"]))
        self.types: list[Table] = list(filter(_is_here, interface["type"]))
        self.additions: list[Table] = [
            item for item in interface["addition"] if item["language"] == LANGUAGE
        ]
        self.words: dict[str, str] = interface["naming"][LANGUAGE]["words"]
        self.classes: list[Table] = tables["errors"]["class"]
        self.options: list[Table] = [
            option
            for option in tables["options"]["option"]
            if LANGUAGE in option.get("languages", [LANGUAGE])
        ]

    _FILES = ("interface", "options", "errors")

    def spelled(self, name: str) -> str:
        return self.words.get(name, name)

    def methods(self, kind: Table) -> list[Table]:
        return list(filter(_is_here, kind.get("method", ())))

    def added(self, of: str, module: str | None = None) -> set[str]:
        return {
            name
            for item in self.additions
            if item["of"] == of and (module is None or module in item.get("modules", [module]))
            for name in item["names"]
        }

    def names(self, module: str) -> set[str]:
        """Every public name of a module."""
        plain = {kind["name"] for kind in self.types if not kind.get("error")}
        functions = {self.spelled(function["name"]) for function in self.functions}
        errors = {cls["name"] for cls in self.classes}
        return plain | functions | errors | self.added("module", module)

    def signature(self, call: Table) -> list[tuple[str, Any]]:
        """The parameters of a call and their defaults; `empty` for those that must be given."""
        found = [(item["name"], _default(item)) for item in call.get("parameters", ())]
        for option in self.options:
            is_taken = call.get("options") in option["scopes"]
            if is_taken and option["name"] not in call.get("options_but", ()):
                # None is "not given": the default may depend on what a URL says.
                default = inspect.Parameter.empty if option.get("required") else None
                found.append((option["name"], default))
        return found

    def made_by_hand(self) -> set[str]:
        """The records that callers make themselves, to hand them over."""
        calls = [*self.functions, *(call for kind in self.types for call in self.methods(kind))]
        given = {item["type"] for call in calls for item in call.get("parameters", ())}
        records = {kind["name"] for kind in self.types if kind.get("record")}
        return {name for name in records if {name, f"list<{name}>"} & given}


def _default(parameter: Table) -> Any:
    if "default" in parameter:
        return parameter["default"]
    if parameter["type"] == "parameters":
        return ()
    is_optional = parameter["type"].startswith("optional<")
    return None if is_optional else inspect.Parameter.empty


def differences(module: ModuleType, name: str, *, asynchronous: bool) -> list[str]:
    """What a module has too much, too little or otherwise than described, in words."""
    return list(_Comparison(Description(), module, name, asynchronous).run())


class _Comparison:
    def __init__(
        self, description: Description, module: ModuleType, name: str, asynchronous: bool
    ) -> None:
        self.description = description
        self.module = module
        self.name = name
        self.asynchronous = asynchronous

    def run(self) -> Iterator[str]:
        yield from self.exports()
        yield from self.errors()
        for function in self.description.functions:
            yield from self.call(self.module, self.name, function)
        for kind in self.description.types:
            found = getattr(self.module, kind["name"], None)
            if inspect.isclass(found):
                yield from self.described(found, kind)

    def exports(self) -> Iterator[str]:
        wanted = self.description.names(self.name)
        public = set(getattr(self.module, "__all__", ()))
        # A star import may leave alone what would hide a built-in name.
        hiding = {name for name in wanted if hasattr(builtins, name)}
        yield from _compared(f"{self.name}.__all__", wanted - hiding, public - hiding)
        yield from (
            f"{self.name}: there is no {name}"
            for name in sorted(wanted)
            if not hasattr(self.module, name)
        )
        own = {
            name
            for name, value in vars(self.module).items()
            if not name.startswith("_")
            and not inspect.ismodule(value)
            and str(getattr(value, "__module__", "")).partition(".")[0] == "dqlite"
        }
        yield from _compared(self.name, own & wanted, own)

    def errors(self) -> Iterator[str]:
        for cls in self.description.classes:
            found = getattr(self.module, cls["name"], None)
            parent = getattr(self.module, cls.get("parent", ""), Exception)
            if not inspect.isclass(found) or found.__bases__[0] is not parent:
                yield f"{self.name}.{cls['name']}: no class directly under {parent.__name__}"

    def described(self, found: type, kind: Table) -> Iterator[str]:
        name = kind["name"]
        where = f"{self.name}.{name}"
        properties = kind.get("property", ())
        methods = self.description.methods(kind)
        named = {self.description.spelled(item["name"]) for item in (*methods, *properties)}
        # A subclass has what its base has.
        bases = [
            base
            for base in self.description.types
            if base.get("error") and kind.get("error") and issubclass(found, self.class_of(base))
        ]
        inherited = {
            self.description.spelled(item["name"])
            for base in bases
            for item in (*self.description.methods(base), *base.get("property", ()))
        }
        added = self.description.added(name)
        for base in bases:
            added |= self.description.added(base["name"])
        yield from _compared(where, named | added, _members(found) - (inherited - named))
        for method in methods:
            yield from self.call(found, where, method, is_shared=kind.get("error", False))
        for item in properties:
            yield from self.property(found, where, item)
        for protocol in kind.get("protocols", ()):
            for method_name in PROTOCOLS[protocol][self.asynchronous and protocol != "sequence"]:
                if not hasattr(found, method_name):
                    yield f"{where}: there is no {method_name}"
        if "constructor" in kind:
            yield from self.parameters(found, where, kind["constructor"])
        elif name in self.description.made_by_hand():
            fields = [(item["name"], inspect.Parameter.empty) for item in properties]
            yield from self.parameters(found, where, None, fields)

    def class_of(self, kind: Table) -> type:
        found = getattr(self.module, kind["name"], None)
        return found if inspect.isclass(found) else type(None)

    def property(self, found: type, where: str, item: Table) -> Iterator[str]:
        name = self.description.spelled(item["name"])
        value = inspect.getattr_static(found, name, None)
        if inspect.isroutine(value):
            yield f"{where}.{name}: a method, and should be a property"
        elif isinstance(value, property):
            is_writable = value.fset is not None
            if is_writable != item.get("writable", False):
                yield f"{where}.{name}: it {'can' if is_writable else 'cannot'} be set"

    def call(
        self, owner: Any, where: str, described: Table, *, is_shared: bool = False
    ) -> Iterator[str]:
        name = self.description.spelled(described["name"])
        found = getattr(owner, name, None)
        if not callable(found):
            yield f"{where}: there is no function {name}"
            return
        where = f"{where}.{name}"
        yield from self.parameters(found, where, described, is_method=inspect.isclass(owner))
        # Both modules raise the same classes, which know by themselves where they come from.
        if is_shared:
            return
        waits = described.get("waits") and LANGUAGE not in described.get("waits_not_in", ())
        if self.asynchronous and waits and inspect.isfunction(found):
            result = str(inspect.signature(found).return_annotation)
            is_awaited = any(word in result for word in AWAITABLE)
            if not inspect.iscoroutinefunction(found) and not is_awaited:
                yield f"{where}: it waits, and is not asynchronous"
        if not self.asynchronous and inspect.iscoroutinefunction(found):
            yield f"{where}: it is asynchronous"

    def parameters(
        self,
        found: Any,
        where: str,
        described: Table | None,
        wanted: list[tuple[str, Any]] | None = None,
        *,
        is_method: bool = False,
    ) -> Iterator[str]:
        if wanted is None:
            wanted = self.description.signature(described or {})
        try:
            parameters = list(inspect.signature(found).parameters.values())
        except ValueError:
            yield f"{where}: it does not tell its parameters"
            return
        given = [(item.name, item.default) for item in parameters[is_method:]]
        if [name for name, _ in given] != [name for name, _ in wanted]:
            names = [[name for name, _ in items] for items in (given, wanted)]
            yield f"{where}: parameters {names[0]}, and should be {names[1]}"
            return
        for (name, default), (_, right) in zip(given, wanted, strict=True):
            if default is not right and default != right:
                yield f"{where}: {name} is {default!r} by default, and should be {right!r}"


def _members(found: type) -> set[str]:
    """The public names of a class, without those of Python's own classes."""
    own = [cls for cls in found.__mro__ if cls.__module__.partition(".")[0] == "dqlite"]
    names = {name for cls in own for name in (*vars(cls), *inspect.get_annotations(cls))}
    return {name for name in names if not name.startswith("_")}


def _compared(where: str, wanted: Iterable[str], found: Iterable[str]) -> Iterator[str]:
    wanted, found = set(wanted), set(found)
    yield from (f"{where}: there is no {name}" for name in sorted(wanted - found))
    yield from (f"{where}: {name} is not described" for name in sorted(found - wanted))
