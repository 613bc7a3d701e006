"""What an exception says about the attempt that it ended.

An exception may be of a class of somebody else's, whose code runs when it is printed, compared or
asked for its class, and may fail, exit or answer nonsense. The attempt has failed all the same.
"""

import traceback
from collections.abc import Callable

from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.handlers.declare import LONGEST_AFTER, Fatal, Retry
from taskq_server.worker.attempts.running import printable

_LONGEST_TYPE = 200
_LONGEST_MESSAGE = 8_192


def failed(kind: str, message: str, *, fatal: bool = False) -> Failure:
    """Return a failure without a traceback.

    Args:
        kind: stands for the class of the error.
        message: what is wrong; its beginning is kept.
        fatal: no retry is worth it.
    """
    return Failure(
        outcome=Outcome.FAILED,
        type=kind,
        message=printable(message, _LONGEST_MESSAGE),
        fatal=fatal,
    )


def failure_of(
    error: BaseException, retry_on: tuple[type[BaseException], ...], traceback_bytes: int
) -> Failure:
    """Return why an attempt failed that this error ended.

    Args:
        error: what escaped from the handler, or from what is called around it.
        retry_on: of the handler.
        traceback_bytes: how much of the end of a traceback is kept.
    """
    return Failure(
        outcome=Outcome.FAILED,
        type=printable(name_of(error), _LONGEST_TYPE),
        message=printable(message_of(error), _LONGEST_MESSAGE),
        traceback=_last(_traceback(error), traceback_bytes),
        fatal=not _is_worth_a_retry(error, retry_on),
        retry_after=_retry_after(error),
    )


def own_fault(error: Exception) -> Failure:
    """Return why an attempt failed that a bug of taskq ended: charged, and tried again."""
    message = f"an error of taskq's own, which the worker's log tells: {message_of(error)}"
    return failed(printable(name_of(error), _LONGEST_TYPE), message)


def name_of(error: BaseException) -> str:
    """Return the name of an error's class."""
    return _said(lambda: type(error).__name__, "Exception")


def message_of(error: BaseException) -> str:
    """Return what an error says."""
    return _said(lambda: str(error), "the error cannot be printed")


def _is_worth_a_retry(error: BaseException, retry_on: tuple[type[BaseException], ...]) -> bool:
    """Whether a policy says so; it is not asked about an exit or the like, nor if it breaks."""
    if issubclass(type(error), Fatal):
        return False
    if not issubclass(type(error), Exception):
        return True
    try:
        return isinstance(error, (Retry, *retry_on))
    except BaseException:
        return True


def _retry_after(error: BaseException) -> float | None:
    """Return what a `Retry` asks for, unless somebody changed it into no number of seconds."""
    if not issubclass(type(error), Retry):
        return None
    try:
        after: object = error.after  # type: ignore[attr-defined]
        if isinstance(after, bool) or not isinstance(after, int | float):
            return None
        seconds = float(after)
    except BaseException:
        return None
    return seconds if 0 <= seconds <= LONGEST_AFTER else None


def _traceback(error: BaseException) -> str:
    whole = _said(lambda: "".join(traceback.format_exception(error)), "")
    return whole or _frames(error) + f"{name_of(error)}: {message_of(error)}\n"


def _frames(error: BaseException) -> str:
    return _said(lambda: "".join(traceback.format_tb(error.__traceback__)), "")


def _said(say: Callable[[], str], otherwise: str) -> str:
    """Return a plain string, whatever it costs to get one."""
    try:
        return str.__str__(say())
    except BaseException:
        return otherwise


def _last(text: str, most: int) -> str:
    """Keep the end of a traceback: that is where the error is."""
    data = text[-most:].encode("utf-8", "replace").replace(b"\0", b"")
    return data[-most:].decode("utf-8", "ignore")
