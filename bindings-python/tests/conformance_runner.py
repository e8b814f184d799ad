"""Runs the cases of ``core/conformance``, whose FORMAT.md says what everything here is for."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from conformance_calls import Blocking

import dqlite

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROGRAM = os.environ.get("DQLITE_CONFORMANCE_CLUSTER", ROOT / "target/debug/conformance-cluster")
ERROR_FIELDS = ("id", "code", "name", "retryable", "outcome")
# The verbs after which a record tells of the cursor.
CURSOR_VERBS = "cursor execute query execute_many execute_script fetch_one fetch_many fetch_all"
CURSOR_KEYS = ("columns", "row_count", "last_row_id")
CONNECTION_KEYS = ("in_transaction", "autocommit", "total_changes")
_numbers = itertools.count()


class BodyFailed(Exception):
    """What the verb ``fail`` raises."""


def load(path: Path = ROOT / "core/conformance/cases") -> list[dict[str, Any]]:
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    return [case for file in files for case in tomllib.loads(file.read_text("utf-8"))["case"]]


def value(tagged: dict[str, Any], n: int) -> Any:
    kind, it = next(iter(tagged.items()))
    if kind == "real" and it.startswith("0x"):
        return struct.unpack(">d", bytes.fromhex(it[2:]))[0]
    make = {
        "int": int,
        "real": float,
        "text": lambda it: it * tagged.get("times", 1),
        "blob": lambda it: bytes.fromhex(it) * tagged.get("times", 1),
        "null": lambda _: None,
        "bool": bool,
        "date": datetime.date.fromisoformat,
        "datetime": datetime.datetime.fromisoformat,
        "surrogate": lambda it: chr(int(it, 16)),
        "n": lambda it: n + it,
    }
    return make[kind](it)


def tagged(it: Any) -> dict[str, Any]:
    if it is None:
        return {"null": True}
    if isinstance(it, float):
        return {"real": "0x" + struct.pack(">d", it).hex()}
    if isinstance(it, bytes):
        return {"blob": it.hex()}
    return {"int" if isinstance(it, int) else "text": str(it)}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.copysign(1, one) == math.copysign(1, other) and one == other
    return type(one) is type(other) and one == other


def counted(given: Any, n: int) -> list[tuple[Any, int]]:
    if isinstance(given, dict):
        return [(given["each"], count) for count in range(given["count"])]
    return [(item, n) for item in given]


def filled(it: Any, variables: dict[str, str]) -> Any:
    if isinstance(it, str):
        for name, text in variables.items():
            it = it.replace("{" + name + "}", text)
    elif isinstance(it, list):
        return [filled(item, variables) for item in it]
    elif isinstance(it, dict):
        inside = ("body", "meanwhile")
        return {key: it[key] if key in inside else filled(it[key], variables) for key in it}
    return it


def resident_mib() -> float:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) / 256 if statm.exists() else 0


class Control:
    """The pipe to the program that starts nodes and kills them."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([PROGRAM], stdin=pipe, stdout=pipe, encoding="utf-8")
        self._lock = threading.Lock()

    def ask(self, line: str) -> str:
        assert self._process.stdin and self._process.stdout
        with self._lock:
            print(line, file=self._process.stdin, flush=True)
            word, _, reply = self._process.stdout.readline().rstrip("\n").partition(" ")
        assert word == "ok", f"{line}: {word} {reply}"
        return reply

    def close(self) -> None:
        self.ask("quit")
        self._process.wait()


class Runner:
    """Runs one case in one place. With ``log``, what it gives is written there, not compared."""

    def __init__(self, case: dict[str, Any], place: str, control: Control, api: Any, log: Any = None):
        self.case, self.place, self.control, self.api, self.log = case, place, control, api, log
        self.connections: dict[str, Any] = {}
        self.cursors: dict[str, Any] = {}
        self.last_error: Any = None

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = server = f"{folder}/data"
            self.variables = {"dir": folder, "db": "main"}
            if self.place != "embedded":
                if self.place == "cluster":
                    self.control.ask("restart")
                addresses = self.control.ask("one" if self.place == "client" else "three")
                database = f"python-{os.getpid()}-{next(_numbers)}"
                server = f"dqlite://{addresses}"
                target = f"{server}/{database}"
                self.variables |= {"addresses": addresses, "db": database}
            self.variables |= {"server": server, "target": target}
            try:
                if self.case.get("opens", True):
                    self.step({"do": "connect"}, 0)
                for number, step in enumerate(self.case["steps"], 1):
                    self.step(step, 0, number)
            finally:
                for connection in self.connections.values():
                    self.call(connection.close)

    def call(self, work: Any, *given: Any, **named: Any) -> Any:
        return self.api.call(lambda: work(*given, **named))

    def body(self, steps: list[Any], n: int, is_first: bool) -> None:
        for step in steps:
            if is_first or not step.get("once"):
                self.step(step, n)

    def step(self, step: dict[str, Any], n: int, number: int = 0) -> None:
        step = filled(step, {**self.variables, "n": str(n)})
        got: dict[str, Any] = {}
        error, ended, thread = None, threading.Event(), threading.get_ident()
        with ThreadPoolExecutor() as pool:
            others = [pool.submit(self.meanwhile, it, n, ended) for it in step.get("meanwhile", ())]
            if "cancel_ms" in step:
                others.append(pool.submit(self.cancel, step, ended, thread))
            try:
                self.act(step, n, got)
            except dqlite.Error as raised:
                error = raised
            finally:
                ended.set()
        for other in others:
            other.result()
        where = f"{self.case['name']} step {number} {step['do']}"
        if self.log and number:
            self.record(step, number, got, error)
        else:
            self.compare(step, n, got, error, where)

    def meanwhile(self, step: dict[str, Any], n: int, ended: threading.Event) -> None:
        if "every_ms" in step:
            while not ended.wait(step["every_ms"] / 1000):
                self.step(step, n)
        else:
            threading.Event().wait(step.get("after_ms", 0) / 1000)
            self.step(step, n)

    def cancel(self, step: dict[str, Any], ended: threading.Event, thread: int) -> None:
        while not ended.wait(step["cancel_ms"] / 1000):
            self.api.cancel(self.connections[step.get("on", "a")], thread)

    def act(self, step: dict[str, Any], n: int, got: dict[str, Any]) -> None:
        verb, on = step["do"], step.get("on", "a")
        name = step.get("cursor", on)
        connection, cursor = self.connections.get(on), self.cursors.get(name)
        if verb == "connect":
            options = dict(step.get("options", self.case.get("options", {})))
            target = step.get("target", self.variables["target"])
            if "?" not in target:
                options.setdefault("autocommit", True)
            for key in [key for key in options if key.endswith("_ms")]:
                options[key[:-3]] = options.pop(key) / 1000
            self.connections[on] = self.call(self.api.connect, target, **options)
        elif verb == "cursor":
            self.cursors[name] = self.call(connection.cursor)
        elif verb in ("execute", "query", "execute_many", "execute_script"):
            if "cursor" in step and not cursor:
                cursor = self.cursors[name] = self.call(connection.cursor)
            on_what = cursor if "cursor" in step else connection
            method = getattr(on_what, verb.replace("query", "execute").replace("_", ""))
            result = self.call(method, step["sql"], *self.parameters(step, n))
            if "cursor" not in step:
                cursor = self.cursors[name] = result
            if verb == "query":
                got["rows"] = [list(row) for row in self.call(cursor.fetchall)]
        elif verb == "fetch_one":
            got["row"] = list(self.call(cursor.fetchone) or ())
        elif verb in ("fetch_many", "fetch_all"):
            size = [step["size"]] if "size" in step else []
            method = getattr(cursor, verb.replace("_", ""))
            got["rows"] = [list(row) for row in self.call(method, *size)]
        elif verb == "stream":
            self.stream(cursor, got)
        elif verb == "set_array_size":
            cursor.arraysize = step["to"]
        elif verb == "close_cursor":
            self.call(cursor.close)
        elif verb == "begin":
            self.call(connection.begin, step.get("mode", "deferred"))
        elif verb in ("commit", "rollback", "interrupt", "close"):
            self.call(getattr(connection, verb))
        elif verb == "set_autocommit":
            self.api.set_autocommit(connection, step["to"])
        elif verb == "transaction":
            self.transaction(step, n, connection, got)
        elif verb == "backup":

            def progress(at: Any) -> None:
                got["remaining"] = at.remaining_pages
                if step.get("stop"):
                    connection.interrupt()

            self.call(connection.backup, step["path"], progress)
        elif verb == "wait_for":
            of = self.connections.get(step.get("of"))
            self.call(connection.wait_for, of.last_index if of else int(step["index"]))
        elif verb == "resolve":
            got["value"] = self.call(self.last_error.resolve)
            self.variables[step.get("save", "")] = str(int(got["value"]))
        elif verb == "control":
            got["reply"] = self.control.ask(step["line"])
            self.variables[step.get("save", "")] = got["reply"]
        elif verb == "repeat":
            for count in range(step["times"]):
                self.body(step["body"], count, count == 0)
        elif verb == "fail":
            raise BodyFailed
        else:
            assert verb == "look", verb

    def parameters(self, step: dict[str, Any], n: int) -> list[Any]:
        def named(given: dict[str, Any]) -> dict[str, Any]:
            return {name: value(it, n) for name, it in given.items()}

        if "named" in step:
            return [named(step["named"])]
        if "named_sets" in step:
            return [[named(given) for given in step["named_sets"]]]
        if "params" in step:
            return [[value(it, count) for it, count in counted(step["params"], n)]]
        if "sets" in step:
            return [[[value(it, k) for it in row] for row, k in counted(step["sets"], n)]]
        return []

    def stream(self, cursor: Any, got: dict[str, Any]) -> None:
        before, count, total, most = resident_mib(), 0, 0, 0.0

        def take(row: Any) -> None:
            nonlocal count, total, most
            count += 1
            total += row[0] if isinstance(row[0], int) else 0
            if count % 4096 == 0:
                most = max(most, resident_mib() - before)

        self.api.each(cursor, take)
        got |= {"count": count, "sum": str(total), "memory_mib": most}

    def transaction(self, step: dict[str, Any], n: int, connection: Any, got: Any) -> None:
        got |= {"runs": 0, "failed": False}

        def body() -> None:
            got["runs"] += 1
            self.body(step["body"], n, got["runs"] == 1)

        try:
            self.api.transaction(connection, step.get("mode", "deferred"), body)
        except BodyFailed:
            got["failed"] = True

    def look(self, step: dict[str, Any], key: str) -> Any:
        connection = self.connections.get(step.get("on", "a"))
        cursor = self.cursors.get(step.get("cursor", step.get("on", "a")))
        if key in ("in_transaction", "autocommit", "total_changes", "closed"):
            return getattr(connection, key)
        if key == "columns":
            described = cursor.description or ()
            return [[str(it) for it in column[:2] if it is not None] for column in described]
        return getattr(cursor, key.replace("last_row_id", "lastrowid").replace("_", ""))

    def compare(self, step: dict[str, Any], n: int, got: Any, error: Any, where: str) -> None:
        expected = step.get("error")
        if error is not None and expected is None:
            raise error
        if expected is not None:
            assert error is not None, f"{where}: expected an error: {expected}, got {got}"
            self.last_error = error
            actual = {field: getattr(error, field) for field in ERROR_FIELDS}
            actual["class"] = type(error).__name__
            for field, wanted in expected.items():
                is_there = field == "says" and all(text in str(error) for text in wanted)
                assert is_there or actual.get(field) == wanted, f"{where}: {expected}: {error!r} {actual}"
        state = (*CURSOR_KEYS, *CONNECTION_KEYS, "array_size", "closed")
        given = ("rows", "row", "count", "sum", "remaining", "reply", "value", "runs", "failed")
        for key in [key for key in (*given, *state) if key in step]:
            wanted = step[key]
            actual = got.get(key) if key in given else self.look(step, key)
            if key == "rows":
                wanted = [[value(it, n) for it in row] for row in wanted]
            elif key == "row":
                wanted = [value(it, n) for it in wanted]
            elif key == "last_row_id":
                wanted = value(wanted, n)
            assert same(wanted, actual), f"{where}: {key}: expected {wanted!r:.500}, got {actual!r:.500}"
        if "memory_mib" in step:
            assert got["memory_mib"] <= step["memory_mib"], f"{where}: {got}"

    def record(self, step: dict[str, Any], number: int, got: Any, error: Any) -> None:
        line = {"case": self.case["name"], "step": number} | got
        for key in ("memory_mib", "remaining"):
            line.pop(key, None)
        if "rows" in got:
            line["rows"] = [[tagged(it) for it in row] for row in got["rows"]]
        if "row" in got:
            line["row"] = [tagged(it) for it in got["row"]]
        if error is not None:
            line["error"] = {field: getattr(error, field) for field in ERROR_FIELDS}
            line["error"]["class"] = type(error).__name__
        elif step["do"] in (*CURSOR_VERBS.split(), "stream", "set_array_size", "look"):
            line |= {key: self.look(step, key) for key in CURSOR_KEYS}
            line["last_row_id"] = tagged(line["last_row_id"])
        if step.get("on", "a") in self.connections:
            line |= {key: self.look(step, key) for key in CONNECTION_KEYS}
        print(json.dumps(line), file=self.log)


def record(file: Path, place: str, log: Path, api: Any) -> None:
    """Writes down what the cases of a file give."""
    control = Control()
    with log.open("w", encoding="utf-8") as out:
        for case in load(file):
            Runner(case, place, control, api, out).run()
    control.close()


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Blocking())
