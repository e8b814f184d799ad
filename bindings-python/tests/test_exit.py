"""Programs end well, whatever the package was doing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ASYNCIO = """
import asyncio, dqlite.aio, sys

async def main():
    async with dqlite.aio.connect(sys.argv[1]) as connection:
        await connection.execute("SELECT 1")

asyncio.run(main())
"""

AT_EXIT = """
import atexit, asyncio, sys

async def main():
    import dqlite.aio
    async with dqlite.aio.connect(sys.argv[1]) as connection:
        cursor = await connection.execute("SELECT 'at exit'")
        print(*await cursor.fetchone())

# Registered before the package registers its own.
atexit.register(lambda: asyncio.run(main()))
import dqlite.aio
"""

ABANDONED = """
import asyncio, dqlite, dqlite.aio, sys

async def main():
    connection = await dqlite.aio.connect(sys.argv[1])
    asyncio.ensure_future(connection.cursor().execute(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    ))
    await asyncio.sleep(0.05)

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
dqlite.connect(sys.argv[1]).execute("SELECT 1")
"""


def ends_well(program: str, path: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("number", range(15))
def test_the_thread_that_woke_the_event_loop_is_let_out(number: int, tmp_path: Path) -> None:
    assert ends_well(ASYNCIO, tmp_path) == ""


def test_a_function_that_runs_at_exit(tmp_path: Path) -> None:
    assert ends_well(AT_EXIT, tmp_path) == "at exit\n"


@pytest.mark.parametrize("number", range(3))
def test_calls_and_connections_that_are_left_open(number: int, tmp_path: Path) -> None:
    ends_well(ABANDONED, tmp_path)
