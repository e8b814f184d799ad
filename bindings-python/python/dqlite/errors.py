"""The classes of errors, and how one is made of an entry of the table.

Each error names itself by ``id``, which never changes, and says whether the call took effect
(``outcome``) and whether it may be made again (``retryable``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._tables import ERRORS, Outcome, Retryable

if TYPE_CHECKING:
    from ._native import Fault

__all__ = [
    "BusyError",
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "InterruptedError",
    "NotLeaderError",
    "NotSupportedError",
    "OperationalError",
    "OutcomeUnknownError",
    "ProgrammingError",
    "TimeoutError",
    "UnavailableError",
    "Warning",
]


class Warning(Exception):
    """Something that the caller should know and that is no failure. Nothing raises it now."""


class Error(Exception):
    """The base of all errors."""

    id: str = ""
    """What names the error for good, ``constraint.unique`` say."""
    code: int = 0
    """SQLite's extended result code, dqlite's, or one of the package's own range."""
    name: str = ""
    """The name of the code, ``SQLITE_CONSTRAINT_UNIQUE`` say."""
    message: str = ""
    """What went wrong, for people."""
    retryable: Retryable = "no"
    """Whether the same call may be made again: ``no``, ``yes`` or ``after_rollback``."""
    outcome: Outcome = "not_applied"
    """Whether the call took effect: ``not_applied``, ``unknown`` or ``applied``."""
    _fault: Fault | None = None

    @property
    def sqlite_errorcode(self) -> int:
        """``code``, as :mod:`sqlite3` calls it."""
        return self.code

    @property
    def sqlite_errorname(self) -> str:
        """``name``, as :mod:`sqlite3` calls it."""
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        # What finds the outcome out stays in the process that was told of the error.
        state = {name: value for name, value in self.__dict__.items() if name != "_fault"}
        return type(self), self.args, state


class InterfaceError(Error):
    """The interface is used wrongly: a target, an option, an object of another process."""


class DatabaseError(Error):
    """The base of everything that has to do with the database."""


class DataError(DatabaseError):
    """A value does not fit."""


class OperationalError(DatabaseError):
    """Something that the program need not have caused: SQLite, files, the network, the cluster."""


class NotLeaderError(OperationalError):
    """The node does not lead (any more), and nothing was applied."""


class BusyError(OperationalError):
    """Another transaction, or another change of the cluster, is in the way."""


class TimeoutError(OperationalError):
    """The time was over, and nothing was applied."""


class InterruptedError(OperationalError):
    """The call was cancelled."""


class UnavailableError(OperationalError):
    """No leader can be reached: there is no majority, or no network."""


class OutcomeUnknownError(OperationalError):
    """A commit was under way, and whether it took effect is not known yet."""

    _is_async: bool = False

    def resolve(self) -> Any:
        """Waits for a leader and says for certain whether the transaction committed.

        Of an error that came from ``dqlite.aio`` the result is awaited: ``await error.resolve()``.
        """
        fault = self._fault
        if fault is None:
            raise _from_table("outcome.known", "there is no commit to ask for")
        if self._is_async:
            from .aio._loop import completions, finished

            return finished(fault.resolve_async(completions()))
        return fault.resolve()


class IntegrityError(DatabaseError):
    """A constraint is violated."""


class InternalError(DatabaseError):
    """A defect in SQLite, in a node or here."""


class ProgrammingError(DatabaseError):
    """The program is wrong: parameters that do not fit, use after close."""


class NotSupportedError(DatabaseError):
    """The peer or the files are of a version that cannot do this."""


_BY_NAME: dict[str, type[Error]] = {
    cls.__name__: cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, Error)
}

_Fields = tuple[str, str, int, str, str, Retryable, Outcome]


def _from_fault(fields: _Fields, fault: Fault) -> Error:
    """The exception for an error of the core."""
    class_name, id, code, name, message, retryable, outcome = fields
    error = _BY_NAME.get(class_name, DatabaseError)(message)
    error.id, error.code, error.name, error.message = id, code, name, message
    error.retryable, error.outcome = retryable, outcome
    error._fault = fault
    return error


def _from_fault_async(fields: _Fields, fault: Fault) -> Error:
    """The same, where results are awaited."""
    error = _from_fault(fields, fault)
    if isinstance(error, OutcomeUnknownError):
        error._is_async = True
    return error


def _from_table(id: str, message: str) -> Error:
    """The exception for an error that the package itself finds."""
    entry = ERRORS[id]
    error = _BY_NAME[entry.class_name](message)
    error.id, error.code, error.name, error.message = id, entry.code, entry.name, message
    error.retryable, error.outcome = entry.retryable, entry.outcome
    return error
