"""What type checkers see of the package; `test_typing.py` has them look at it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from typing_extensions import assert_type

import dqlite
import dqlite.aio


def blocking(path: str) -> int:
    connection = dqlite.connect(path, autocommit=True, timeout=1.5, consistency="stale")
    assert_type(connection, dqlite.Connection)
    cursor = connection.execute("SELECT ?", (1,))
    assert_type(cursor, dqlite.Cursor)
    assert_type(cursor.fetchall(), list[Any])
    assert_type(connection.transaction(lambda it: it.total_changes), int)
    with connection.transaction() as it:
        assert_type(it, dqlite.Connection)
    connection.row_factory = dqlite.Row
    connection.executemany("INSERT INTO t VALUES (:a)", [{"a": b"x"}, {"a": None}])
    for description in cursor.description or ():
        assert_type(description[0], str)
        assert_type(description[1], str | None)
    try:
        connection.commit()
    except dqlite.OutcomeUnknownError as error:
        assert_type(error.outcome, "dqlite._tables.Outcome")
    return connection.last_index


async def awaited(path: str) -> None:
    async with dqlite.aio.connect(path) as connection:
        assert_type(connection, dqlite.aio.Connection)
        cursor = await connection.execute("SELECT :a", {"a": 1})
        assert_type(cursor, dqlite.aio.Cursor)
        assert_type(await cursor.fetchmany(3), list[Any])

        async def body(it: dqlite.aio.Connection) -> str:
            await it.execute("SELECT 1")
            return "done"

        assert_type(connection.transaction(body), Awaitable[str])
        async with connection.execute("SELECT 1") as rows:
            async for row in rows:
                print(row)
    connection = await dqlite.aio.connect(path)
    await connection.close()
    node = dqlite.aio.Node(path, address="host:9001", join=["other:9001"])
    assert_type(await node.cluster().members(), list[dqlite.NodeInfo])
