"""Many threads: each with a connection, and all with the same one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ENDLESS

import dqlite

THREADS = 32


def together(work: Callable[[int], object]) -> None:
    """Runs `work` in all threads at the same time."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(begin, range(THREADS), timeout=120))


def test_a_connection_for_each_thread(path: Path) -> None:
    with dqlite.connect(path) as first:
        first.execute("CREATE TABLE t (thread, number)")

    def work(thread: int) -> None:
        connection = dqlite.connect(path, busy_timeout=60)
        for number in range(5):
            with connection.transaction():
                connection.execute("INSERT INTO t VALUES (?, ?)", (thread, number))
            rows = connection.execute("SELECT number FROM t WHERE thread = ?", (thread,))
            assert rows.fetchall() == [(n,) for n in range(number + 1)]
        connection.close()

    together(work)
    assert first.execute("SELECT count(*) FROM t").fetchone() == (THREADS * 5,)
    first.close()


def test_one_connection_for_all_threads(connection: dqlite.Connection) -> None:
    connection.autocommit = True
    connection.execute("CREATE TABLE t (thread, number)")

    def work(thread: int) -> None:
        for number in range(5):
            connection.execute("INSERT INTO t VALUES (?, ?)", (thread, number))
            mine = connection.execute("SELECT number FROM t WHERE thread = ?", (thread,))
            assert mine.fetchall() == [(n,) for n in range(number + 1)]

    together(work)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (THREADS * 5,)


def test_one_cursor_for_all_threads_gives_each_row_once(connection: dqlite.Connection) -> None:
    cursor = connection.execute(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 20000) "
        "SELECT n FROM t"
    )
    got: list[list[int]] = [[] for _ in range(THREADS)]

    def work(thread: int) -> None:
        mine = got[thread]
        while rows := cursor.fetchmany(7) if thread % 2 else [cursor.fetchone() or ()]:
            if rows == [()]:
                return
            mine.extend(row[0] for row in rows)

    together(work)
    assert sorted(number for mine in got for number in mine) == list(range(1, 20001))


def test_other_threads_go_on_while_one_waits(connection: dqlite.Connection) -> None:
    ticks = 0
    done = threading.Event()

    def endless() -> None:
        with pytest.raises(dqlite.InterruptedError):
            connection.execute(ENDLESS)
        done.set()

    thread = threading.Thread(target=endless)
    thread.start()
    while not done.wait(0.01):
        ticks += 1
        if ticks >= 20:
            connection.interrupt()
    thread.join()
    assert ticks >= 20
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_closing_while_others_use_it(path: Path) -> None:
    for _ in range(5):
        connection = dqlite.connect(path)
        barrier = threading.Barrier(4)

        def use(
            connection: dqlite.Connection = connection, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            with pytest.raises(dqlite.Error):
                while True:
                    connection.execute("SELECT 1").fetchall()

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        barrier.wait()
        connection.close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
