"""What the tests share: connections to a node of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The folder of a node that does not exist yet."""
    return tmp_path / "node"


@pytest.fixture
def connection(path: Path) -> Iterator[dqlite.Connection]:
    """A connection to an embedded node."""
    opened = dqlite.connect(path)
    yield opened
    opened.close()


@pytest.fixture
def run() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Runs an asynchronous function to its end, and not for ever."""

    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        async def bounded() -> Any:
            return await asyncio.wait_for(main(), 60)

        return asyncio.run(bounded())

    return run


# A statement that runs until it is stopped.
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
