"""Reading through an embedded node next to Python's own sqlite3, side by side in one process.

``python benches/compare.py`` prints a table; with ``--check`` it also fails where reading rows
takes more than 1.5 times as long, or ``SELECT 1`` more than 4 times. The rounds of the two take
turns, so that what else the machine does meets both; each figure is the median of its rounds. The
package must be built with optimizations.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dqlite

ROWS = 100_000
ROWS_LIMIT = 1.5
SELECT_LIMIT = 4.0

NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
SHAPES = {
    "one integer": "SELECT i AS a FROM n",
    "integer, real, text": "SELECT i AS a, i * 0.5 AS b, printf('text of %08d', i) AS c FROM n",
    "ten columns": "SELECT "
    + ", ".join(f"i + {k} AS i{k}, 'text ' || (i % 1000) AS t{k}" for k in range(5))
    + " FROM n",
    "text of 200 characters": "SELECT printf('%0200d', i) AS a FROM n",
    "blob of 100 bytes, or NULL": "SELECT iif(i % 2, randomblob(100), NULL) AS a FROM n",
}


def prepare(folder: Path) -> tuple[sqlite3.Connection, dqlite.Connection]:
    """The same tables, once in each."""
    own = sqlite3.connect(folder / "own.db")
    ours = dqlite.connect(folder / "node")
    for number, select in enumerate(SHAPES.values()):
        for connection in (own, ours):
            connection.execute(f"CREATE TABLE shape{number} AS {NUMBERS}{select}")
            connection.commit()
    return own, ours


def fetch_all(connection: Any, sql: str) -> None:
    """All rows as a list."""
    assert len(connection.execute(sql).fetchall()) == ROWS


def iterate(connection: Any, sql: str) -> None:
    """Row by row."""
    count = 0
    for _row in connection.execute(sql):
        count += 1
    assert count == ROWS


def select_one(connection: Any, sql: str) -> None:
    """The shortest call there is, many times."""
    execute = connection.execute
    for _ in range(2000):
        assert execute(sql).fetchone() == (1,)


def compare(
    work: Callable[[Any, str], None], own: Any, ours: Any, sql: str, rounds: int
) -> tuple[float, float]:
    """The median times of the two, in seconds."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for connection, taken in zip((own, ours), times, strict=True):
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            work(connection, sql)
            # The first round fills caches.
            if turn:
                taken.append(time.perf_counter() - start)
            gc.enable()
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--check", action="store_true", help="fail where a limit is exceeded")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dqlite-compare-"))
    own, ours = prepare(folder)
    exceeded = False
    print(f"sqlite3 {sqlite3.sqlite_version}, dqlite with {dqlite.sqlite_version}")
    print(f"{'':42}{'sqlite3':>12}{'dqlite':>12}{'ratio':>8}{'limit':>7}")
    for number, shape in enumerate(SHAPES):
        for how, work in (("fetchall", fetch_all), ("iteration", iterate)):
            sql = f"SELECT * FROM shape{number}"
            times = compare(work, own, ours, sql, arguments.rounds)
            exceeded |= show(f"{shape}, {how}", times, ROWS, "ns/row", ROWS_LIMIT)
    times = compare(select_one, own, ours, "SELECT 1", arguments.rounds)
    exceeded |= show("SELECT 1", times, 2000, "ns", SELECT_LIMIT)
    own.close()
    ours.close()
    shutil.rmtree(folder)
    return 1 if exceeded and arguments.check else 0


def show(what: str, times: tuple[float, float], count: int, unit: str, limit: float) -> bool:
    """Prints a line; says whether it exceeds its limit."""
    ratio = times[1] / times[0]
    shown = "".join(f"{f'{seconds / count * 1e9:.0f} {unit}':>12}" for seconds in times)
    print(f"{what:42}{shown}{ratio:8.2f}{limit:7.1f}{'  exceeded' if ratio > limit else ''}")
    return ratio > limit


if __name__ == "__main__":
    sys.exit(main())
