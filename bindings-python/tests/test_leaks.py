"""Memory does not grow with the number of calls, of connections and of errors."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

import dqlite
import dqlite.aio


def resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    pytest.skip("the system does not tell how much memory is in use")


def steady(work: Callable[[], object], rounds: int, allowed_kib: int = 4096) -> None:
    """Fails if memory grows with the rounds, after the first ones."""
    for _ in range(rounds):
        work()
    gc.collect()
    before = resident_kib()
    for _ in range(rounds * 3):
        work()
    gc.collect()
    grown = resident_kib() - before
    assert grown < allowed_kib, f"{grown} KiB more after {rounds * 3} rounds"


def test_statements_and_rows(connection: dqlite.Connection) -> None:
    connection.autocommit = True
    connection.execute("CREATE TABLE t (a, b)")
    blob = b"x" * 10_000

    def work() -> None:
        cursor = connection.execute("SELECT ?, ?", (blob, "y" * 10_000))
        assert len(cursor.fetchall()) == 1
        connection.execute("SELECT :a", {"a": blob})
        for _ in connection.execute("SELECT 1 UNION SELECT 2"):
            break

    steady(work, 1000)


def test_errors(connection: dqlite.Connection) -> None:
    def work() -> None:
        with pytest.raises(dqlite.Error):
            connection.execute("SELECT " + "x" * 5000)
        with pytest.raises(dqlite.DataError):
            connection.execute("SELECT ?", (2**63,))

    steady(work, 500)


def test_connections(path: Path) -> None:
    keep = dqlite.connect(path)

    def work() -> None:
        connection = dqlite.connect(path)
        connection.execute("SELECT 1")
        connection.close()
        # And one that nobody closes.
        dqlite.connect(path).execute("SELECT 1")

    steady(work, 200)
    keep.close()


def test_operations(path: Path) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            for _ in range(500):
                await (await connection.execute("SELECT ?", (b"x" * 10_000,))).fetchall()

    # The node stays: each start of one takes memory that the system gets back late.
    keep = dqlite.connect(path)
    steady(lambda: asyncio.run(main()), 2)
    keep.close()


def test_cycles_are_collected(connection: dqlite.Connection) -> None:
    class Factory:
        cursor: dqlite.Cursor

        def __call__(self, cursor: dqlite.Cursor, row: tuple[object, ...]) -> object:
            return row

    def cycle() -> weakref.ref[Factory]:
        factory = Factory()
        factory.cursor = connection.cursor()
        factory.cursor.row_factory = factory
        return weakref.ref(factory)

    found = cycle()
    gc.collect()
    assert found() is None


def test_an_event_loop_is_collected(path: Path) -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        async with dqlite.aio.connect(path) as connection:
            await connection.execute("SELECT 1")

    asyncio.run(main())
    gc.collect()
    assert loops[0]() is None
