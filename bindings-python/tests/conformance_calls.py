"""How the conformance runner makes calls: on ``dqlite`` as they are, on ``dqlite.aio`` awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from inspect import isawaitable
from typing import Any

import dqlite
import dqlite.aio
from dqlite.errors import _from_table


class Blocking:
    """Calls of ``dqlite``."""

    connect = staticmethod(dqlite.connect)

    def call(self, work: Callable[[], Any]) -> Any:
        return work()

    def cancel(self, connection: Any, thread: int) -> None:
        connection.interrupt()

    def each(self, cursor: Any, take: Callable[[Any], None]) -> None:
        for row in cursor:
            take(row)

    def transaction(self, connection: Any, mode: str, body: Callable[[], None]) -> None:
        connection.transaction(mode=mode, body=lambda _: body())

    def set_autocommit(self, connection: Any, to: bool) -> None:
        connection.autocommit = to

    def close(self) -> None:
        pass


class Async:
    """Calls of ``dqlite.aio``, each a task on one event loop in a thread of its own."""

    connect = staticmethod(dqlite.aio.connect)

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._running: dict[int, asyncio.Task[Any]] = {}

    def call(self, work: Callable[[], Any]) -> Any:
        async def run() -> Any:
            made = work()
            return await made if isawaitable(made) else made

        thread, ended = threading.get_ident(), Future[Any]()

        def start() -> None:
            task = self._running[thread] = self._loop.create_task(run())
            task.add_done_callback(ended.set_result)

        self._loop.call_soon_threadsafe(start)
        task = ended.result()
        if task.cancelled():
            raise _from_table("call.interrupted", "the task was cancelled")
        return task.result()

    def cancel(self, connection: Any, thread: int) -> None:
        self._loop.call_soon_threadsafe(self._running[thread].cancel)

    def each(self, cursor: Any, take: Callable[[Any], None]) -> None:
        async def read() -> None:
            async for row in cursor:
                take(row)

        self.call(read)

    def transaction(self, connection: Any, mode: str, body: Callable[[], None]) -> None:
        async def run(_: Any) -> None:
            # The body waits for calls of its own, which the event loop must go on to make.
            await asyncio.to_thread(body)

        self.call(lambda: connection.transaction(mode=mode, body=run))

    def set_autocommit(self, connection: Any, to: bool) -> None:
        if to:
            self.call(connection.commit)
        connection.autocommit = to

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
