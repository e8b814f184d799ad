"""The same with asyncio: awaited calls, cancelled calls, event loops."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ENDLESS

import dqlite
import dqlite.aio

Run = Callable[[Callable[[], Awaitable[Any]]], Any]


def test_connections_cursors_and_rows(path: Path, run: Run) -> None:
    async def main() -> None:
        connection = await dqlite.aio.connect(path)
        cursor = connection.cursor()
        assert await cursor.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)") is cursor
        await connection.executemany(
            "INSERT INTO t (name) VALUES (?)", ((f"n{i}",) for i in range(1000))
        )
        assert connection.in_transaction
        await connection.commit()
        assert not connection.in_transaction
        cursor = await connection.execute("SELECT id, name FROM t ORDER BY id")
        assert cursor.description is not None
        assert [column[:2] for column in cursor.description] == [
            ("id", "INTEGER"),
            ("name", "TEXT"),
        ]
        assert await cursor.fetchone() == (1, "n0")
        assert await cursor.fetchmany() == [(2, "n1")]
        assert await cursor.fetchmany(300) == [(i, f"n{i - 1}") for i in range(3, 303)]
        assert len(await cursor.fetchall()) == 698
        assert await cursor.fetchone() is None
        assert await cursor.fetchmany(-1) == []
        async with connection.execute("SELECT id FROM t ORDER BY id") as rows:
            assert [row async for row in rows] == [(i,) for i in range(1, 1001)]
        with pytest.raises(dqlite.ProgrammingError):
            await rows.fetchone()
        connection.row_factory = dqlite.Row
        row = await (await connection.execute("SELECT 1 AS one")).fetchone()
        assert row["one"] == 1
        assert await (await connection.execute("SELECT 1 AS one")).fetchall() == [row]
        assert (connection.total_changes, connection.last_index > 0) == (1000, True)
        await connection.wait_for(connection.last_index)
        await connection.close()
        await connection.close()
        assert connection.closed

    run(main)


def test_a_block_closes_the_connection(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            await connection.execute("CREATE TABLE t (a)")
            await connection.commit()
            await connection.execute("INSERT INTO t VALUES (1)")
        assert connection.closed
        for use in (connection.commit, lambda: connection.execute("SELECT 1")):
            with pytest.raises(dqlite.ProgrammingError) as closed:
                await use()
            assert closed.value.id == "connection.closed"
        async with dqlite.aio.connect(path) as connection:
            assert await (await connection.execute("SELECT * FROM t")).fetchall() == []

    run(main)


def test_errors_come_out_where_they_are_awaited(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            with pytest.raises(dqlite.OperationalError) as error:
                await connection.execute("SELEC")
            assert error.value.id == "sql.error"
            with pytest.raises(dqlite.DataError):
                await connection.execute("SELECT ?", (2**63,))
            with pytest.raises(connection.ProgrammingError):
                await connection.cursor().fetchone()
            with pytest.raises(dqlite.InterfaceError):
                await dqlite.aio.connect(path, consistency="wild")  # type: ignore[arg-type]

    run(main)


def test_transactions(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path, autocommit=True) as connection:
            await connection.execute("CREATE TABLE t (a UNIQUE)")
            async with connection.transaction() as same:
                assert same is connection
                await connection.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction(mode="deferred"):
                    await connection.execute("INSERT INTO t VALUES (2)")
                    raise ZeroDivisionError
            tries = 0

            async def body(it: dqlite.aio.Connection) -> str:
                nonlocal tries
                tries += 1
                await it.execute("INSERT INTO t VALUES (?)", (10 + tries,))
                if tries < 3:
                    raise busy
                return "done"

            async with dqlite.aio.connect(path, busy_timeout=0) as other, connection.transaction():
                with pytest.raises(dqlite.BusyError) as late:
                    await other.execute("INSERT INTO t VALUES (3)")
            busy = late.value
            assert await connection.transaction(body) == "done"
            assert tries == 3
            with pytest.raises(dqlite.IntegrityError):
                await connection.transaction(lambda it: it.execute("INSERT INTO t VALUES (1)"))
            assert not connection.in_transaction
            rows = await (await connection.execute("SELECT a FROM t ORDER BY a")).fetchall()
            assert rows == [(1,), (13,)]

    run(main)


def test_autocommit(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            assert connection.autocommit is False
            await connection.execute("CREATE TABLE t (a)")
            with pytest.raises(dqlite.InterfaceError, match="commit"):
                connection.autocommit = True
            await connection.commit()
            connection.autocommit = True
            await connection.execute("INSERT INTO t VALUES (1)")
            assert not connection.in_transaction

    run(main)


def test_a_cancelled_task_cancels_its_call_and_no_other(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            await connection.execute("CREATE TABLE t (a)")
            await connection.execute("INSERT INTO t VALUES (1)")
            for _ in range(5):
                running = asyncio.create_task(_fetched(connection, ENDLESS))
                waiting = asyncio.create_task(_fetched(connection, "SELECT 'never'"))
                after = asyncio.create_task(_fetched(connection, "SELECT a FROM t"))
                await asyncio.sleep(0.05)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                assert not running.done()
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                assert await after == [(1,)]
                assert connection.in_transaction
            await connection.rollback()

    run(main)


async def _fetched(connection: dqlite.aio.Connection, sql: str) -> list[Any]:
    return await (await connection.execute(sql)).fetchall()


def test_a_deadline_of_asyncio(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.cursor().execute(ENDLESS), 0.1)
            assert await _fetched(connection, "SELECT 1") == [(1,)]
            with pytest.raises(dqlite.TimeoutError):
                async with dqlite.aio.connect(path, timeout=0.1) as hasty:
                    await hasty.execute(ENDLESS)

    run(main)


def test_interrupt(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            task = asyncio.create_task(_fetched(connection, ENDLESS))
            await asyncio.sleep(0.1)
            connection.interrupt()
            with pytest.raises(dqlite.InterruptedError):
                await task
            connection.interrupt()
            assert await _fetched(connection, "SELECT 1") == [(1,)]

    run(main)


def test_no_thread_for_each_call(path: Path, run: Run) -> None:
    async def main() -> None:
        connections = [await dqlite.aio.connect(path) for _ in range(64)]
        await asyncio.gather(*(_fetched(connection, "SELECT 1") for connection in connections))
        # SQLite runs on a pool's threads, one for each connection at most; calls have none.
        before = _threads()
        for _ in range(20):
            tasks = (_fetched(connection, "SELECT 1") for connection in connections)
            assert await asyncio.gather(*tasks) == [[(1,)]] * 64
        assert _threads() <= before + 64
        assert threading.active_count() == 1
        for connection in connections:
            await connection.close()

    run(main)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_the_event_loop_goes_on_meanwhile(path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            task = asyncio.create_task(_fetched(connection, ENDLESS))
            ticks = 0
            for _ in range(20):
                await asyncio.sleep(0.01)
                ticks += 1
            assert (ticks, task.done()) == (20, False)
            task.cancel()
            await asyncio.wait([task])

    run(main)


def test_a_connection_belongs_to_its_event_loop(path: Path, run: Run) -> None:
    kept: list[dqlite.aio.Connection] = []

    async def first() -> None:
        kept.append(await dqlite.aio.connect(path))

    async def second() -> None:
        with pytest.raises(dqlite.InterfaceError, match="event loop"):
            await kept[0].execute("SELECT 1")
        async with dqlite.aio.connect(path) as connection:
            assert await _fetched(connection, "SELECT 1") == [(1,)]

    run(first)
    run(second)


def test_results_for_an_event_loop_that_is_closed_are_dropped(path: Path) -> None:
    kept: list[asyncio.Future[Any]] = []

    async def main() -> None:
        connection = await dqlite.aio.connect(path)
        kept.append(asyncio.ensure_future(_fetched(connection, ENDLESS)))
        await asyncio.sleep(0.05)

    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()
    gc.collect()
    with dqlite.connect(path) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_backup(path: Path, tmp_path: Path, run: Run) -> None:
    async def main() -> None:
        async with dqlite.aio.connect(path) as connection:
            await connection.execute(
                "CREATE TABLE t AS SELECT randomblob(1000) FROM "
                "(SELECT 1 FROM json_each('[1,2,3,4,5,6,7,8,9,0]'))"
            )
            await connection.commit()
            told: list[dqlite.Progress] = []
            await connection.backup(tmp_path / "copy.db", told.append)
            assert told[-1].remaining_pages == 0
            await connection.backup(tmp_path / "again.db")
            with pytest.raises(ZeroDivisionError):
                await connection.backup(tmp_path / "copy.db", lambda _: 1 / 0)

    run(main)
