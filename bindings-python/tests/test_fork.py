"""Forks: what the parent opened is refused in the child, and the child opens its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import dqlite
import dqlite.aio

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_child(work: Callable[[], None]) -> None:
    """Runs `work` in a child, which must end well and soon."""
    with warnings.catch_warnings():
        # Python warns of forks beside threads, which this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)
            work()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def refused(use: Callable[[], object]) -> None:
    with pytest.raises(dqlite.InterfaceError) as error:
        use()
    assert (error.value.id, error.value.code) == ("forked", 100105)


def test_what_the_parent_opened_is_refused(connection: dqlite.Connection, tmp_path: Path) -> None:
    cursor = connection.execute("SELECT 1 UNION SELECT 2")
    node = dqlite.Node(tmp_path / "other", address="127.0.0.1:1")
    transaction = connection.transaction()

    def work() -> None:
        for use in (
            lambda: connection.execute("SELECT 1"),
            connection.cursor,
            connection.commit,
            connection.interrupt,
            connection.close,
            lambda: connection.in_transaction,
            lambda: connection.closed,
            lambda: cursor.execute("SELECT 1"),
            cursor.fetchone,
            cursor.close,
            transaction.__enter__,
            node.start,
            node.stop,
        ):
            refused(use)
        assert "another process" in repr(connection)

    in_child(work)
    assert cursor.fetchall() == [(1,), (2,)]
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_child_drops_what_the_parent_holds_without_waiting(path: Path) -> None:
    held = [dqlite.connect(path)]
    held[0].execute("CREATE TABLE t (a)")
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            held[0].execute("SELECT 1").fetchall()

    thread = threading.Thread(target=use)
    thread.start()
    try:
        # The other thread may hold any lock as the process forks.
        for _ in range(10):
            in_child(held.clear)
    finally:
        stop.set()
        thread.join()
    held[0].commit()
    held[0].close()


def test_a_child_opens_its_own(connection: dqlite.Connection, tmp_path: Path) -> None:
    connection.execute("SELECT 1")

    def work() -> None:
        own = dqlite.connect(tmp_path / "child")
        with own:
            own.execute("CREATE TABLE t (a)")
            own.execute("INSERT INTO t VALUES (1)")
        assert own.execute("SELECT a FROM t").fetchall() == [(1,)]
        own.close()
        # Children have children.
        in_child(lambda: dqlite.connect(tmp_path / "grandchild").execute("CREATE TABLE t (a)"))

    in_child(work)
    with dqlite.connect(tmp_path / "child") as after:
        assert after.execute("SELECT a FROM t").fetchall() == [(1,)]
    after.close()


def test_the_parents_node_is_in_use(connection: dqlite.Connection, path: Path) -> None:
    connection.execute("SELECT 1")
    parent = os.getpid()

    def work() -> None:
        with pytest.raises(dqlite.OperationalError) as error:
            dqlite.connect(path)
        assert error.value.id == "node.data_directory_in_use"
        assert str(parent) in str(error.value)

    in_child(work)


def test_asyncio_in_a_child(path: Path, tmp_path: Path) -> None:
    import asyncio

    async def use(folder: Path) -> None:
        async with dqlite.aio.connect(folder) as connection:
            cursor = await connection.execute("SELECT 1")
            assert await cursor.fetchall() == [(1,)]

    asyncio.run(use(path))
    in_child(lambda: asyncio.run(use(tmp_path / "child")))
    asyncio.run(use(path))
