"""Ctrl-C and other signals while a call waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import ENDLESS

import dqlite


def soon(signal_number: int) -> None:
    """Sends this process a signal in a moment."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal_number)).start()


@pytest.fixture
def usr1() -> Any:
    """Sets the handler of a signal for one test."""
    old = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, old)


def test_ctrl_c_interrupts_a_statement(connection: dqlite.Connection) -> None:
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    begun = time.monotonic()
    soon(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        connection.execute(ENDLESS)
    assert time.monotonic() - begun < 5
    assert connection.in_transaction
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.rollback()


def test_ctrl_c_interrupts_a_fetch(connection: dqlite.Connection) -> None:
    cursor = connection.execute(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
        "SELECT n FROM t WHERE n <= 300 OR n < 0"
    )
    assert cursor.fetchone() == (1,)
    soon(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        cursor.fetchall()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_ctrl_c_interrupts_the_wait_for_another_writer(path: Path) -> None:
    first, second = dqlite.connect(path), dqlite.connect(path, busy_timeout=60)
    first.execute("CREATE TABLE t (a)")
    soon(signal.SIGINT)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        second.execute("CREATE TABLE u (a)")
    assert time.monotonic() - begun < 10
    first.commit()
    with second:
        second.execute("INSERT INTO t VALUES (1)")
    first.close()
    second.close()


def test_ctrl_c_ends_the_search_for_a_cluster() -> None:
    connection = dqlite.connect("dqlite://127.0.0.1:1/app", timeout=60)
    soon(signal.SIGINT)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        connection.execute("SELECT 1")
    assert time.monotonic() - begun < 10
    soon(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        dqlite.Cluster("dqlite://127.0.0.1:1", timeout=60).members()
    assert time.monotonic() - begun < 20


def test_a_handler_that_returns_lets_the_statement_go_on(
    connection: dqlite.Connection, usr1: Callable[[Any], Any]
) -> None:
    heard = []

    def handler(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        with pytest.raises(dqlite.InterfaceError, match="in the middle"):
            connection.execute("SELECT 1")
        if len(heard) == 3:
            connection.interrupt()
        else:
            soon(signal.SIGUSR1)

    usr1(handler)
    soon(signal.SIGUSR1)
    with pytest.raises(dqlite.InterruptedError):
        connection.execute(ENDLESS)
    assert heard == [signal.SIGUSR1] * 3


def test_an_exception_of_a_handler_comes_out(
    connection: dqlite.Connection, usr1: Callable[[Any], Any]
) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        raise LookupError("from the handler")

    usr1(handler)
    soon(signal.SIGUSR1)
    with pytest.raises(LookupError, match="from the handler"):
        connection.execute(ENDLESS)
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_program_ends_on_ctrl_c(path: Path) -> None:
    program = (
        "import dqlite, sys\n"
        "connection = dqlite.connect(sys.argv[1])\n"
        "print('begun', flush=True)\n"
        f"connection.execute({ENDLESS!r})\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert child.returncode == -signal.SIGINT
