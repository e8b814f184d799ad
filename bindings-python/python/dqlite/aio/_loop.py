"""The way from the native half to the event loop, and waiting that cancels what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from .. import _native
from ..errors import OutcomeUnknownError, _from_table

_T = TypeVar("_T")
_C = TypeVar("_C", bound="_Closed")


class _Closed(Protocol):
    """What ends with the block it is opened for."""

    async def __aenter__(self: _C) -> _C: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


# Kept by the objects of the loop that use it, so that both go together.
_by_loop: WeakValueDictionary[int, _native.Completions] = WeakValueDictionary()


def completions() -> _native.Completions:
    """The running event loop's queue of results."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(id(loop))
    if found is None or found.event_loop is not loop:
        found = _by_loop[id(loop)] = _native.Completions(loop)
    return found


def check_loop(of: _native.Completions) -> None:
    """Refuses an object of another event loop."""
    if of.event_loop is not asyncio.get_running_loop():
        raise _from_table("misuse", "made on another event loop; each has connections of its own")


async def finished(operation: _native.Operation[_T]) -> _T:
    """Waits for a call. Cancelled, it cancels the call and waits for its end."""
    try:
        return await operation
    except asyncio.CancelledError as cancelled:
        error = await _ended(operation)
        if isinstance(error, OutcomeUnknownError):
            # Whether the commit took effect is for the caller to find out.
            raise cancelled from error
        raise


async def _ended(operation: _native.Operation[_T]) -> Exception | None:
    while True:
        end = operation.cancel()
        if end is None:
            return None
        try:
            await end
        except asyncio.CancelledError:
            # Cancelled again: the end is near in any case.
            continue
        except Exception as error:
            return error
        return None


class AwaitableContext(Generic[_C]):
    """Something on its way: ``await`` gives it, ``async with`` closes it at the end as well."""

    __slots__ = ("_coming", "_here")

    def __init__(self, coming: Coroutine[Any, Any, _C]) -> None:
        self._coming = coming
        self._here: _C | None = None

    def __await__(self) -> Generator[Any, Any, _C]:
        return self._coming.__await__()

    async def __aenter__(self) -> _C:
        self._here = here = await self._coming
        return await here.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._here is not None:
            await self._here.__aexit__(kind, value, traceback)
