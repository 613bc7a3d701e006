"""Turn the exception that ended an attempt into a failure.

The exception's class may be foreign code, which runs when the exception is printed, compared or
asked for its class, and may fail, exit or return nonsense. The attempt has failed all the same.
"""

import traceback
from collections.abc import Callable

from taskq_server.domain import limits
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.handlers.declare import Fatal, Retry
from taskq_server.services import task_log
from taskq_server.worker.attempts.running import printable

_LONGEST_TYPE = 200
_LONGEST_MESSAGE = 8_192


class HandlerExit(RuntimeError):
    """Stands for an error that would end the event loop, or that no future can hold.

    Attributes:
        raised: what the handler raised.
    """

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"the handler raised {name_of(raised)}")
        self.raised = raised


def failed(kind: str, message: str, *, fatal: bool = False) -> Failure:
    """Return a failure without a traceback.

    Args:
        kind: stands for the class of the error.
        message: a sentence, of which the beginning is kept.
        fatal: whether to fail the task without a retry.
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
    """Return the failure of an attempt that ended in an error.

    Args:
        error: the error, raised by the handler or by code called around it.
        retry_on: the handler's classes of errors to retry.
        traceback_bytes: bytes to keep of the end of a traceback.
    """
    raised = error.raised if type(error) is HandlerExit else error
    return Failure(
        outcome=Outcome.FAILED,
        type=printable(name_of(raised), _LONGEST_TYPE),
        message=printable(message_of(error), _LONGEST_MESSAGE),
        traceback=_last(_traceback(raised), traceback_bytes),
        fatal=not _is_worth_a_retry(raised, retry_on),
        retry_after=_retry_after(raised),
    )


def own_fault(error: Exception) -> Failure:
    """Return the failure of an attempt that ended in a bug of taskq; it is charged and retried."""
    return failed(
        printable(name_of(error), _LONGEST_TYPE), f"{task_log.OWN_FAULT}: {message_of(error)}"
    )


def name_of(error: BaseException) -> str:
    """Return the name of an error's class."""
    return _said(lambda: type(error).__name__, "Exception")


def message_of(error: BaseException) -> str:
    """Return the text of an error."""
    return _said(lambda: str(error), "the error cannot be printed")


def _is_worth_a_retry(error: BaseException, retry_on: tuple[type[BaseException], ...]) -> bool:
    """Whether to retry; exits are always retried, and so are errors whose comparison fails."""
    if issubclass(type(error), Fatal):
        return False
    if not issubclass(type(error), Exception):
        return True
    try:
        return isinstance(error, (Retry, *retry_on))
    except BaseException:
        return True


def _retry_after(error: BaseException) -> float | None:
    """Return the seconds that a `Retry` asks for, unless its attribute was set to nonsense."""
    if not issubclass(type(error), Retry):
        return None
    try:
        after: object = error.after  # type: ignore[attr-defined]
        if isinstance(after, bool) or not isinstance(after, int | float):
            return None
        seconds = float(after)
    except BaseException:
        return None
    return seconds if 0 <= seconds <= limits.DELAY_SECONDS else None


def _traceback(error: BaseException) -> str:
    whole = _said(lambda: "".join(traceback.format_exception(error)), "")
    return whole or _frames(error) + f"{name_of(error)}: {message_of(error)}\n"


def _frames(error: BaseException) -> str:
    return _said(lambda: "".join(traceback.format_tb(error.__traceback__)), "")


def _said(say: Callable[[], str], otherwise: str) -> str:
    """Return a plain string, or `otherwise` if getting one fails."""
    try:
        return str.__str__(say())
    except BaseException:
        return otherwise


def _last(text: str, most: int) -> str:
    """Keep the end of a traceback, because the error is there."""
    data = text[-most:].encode("utf-8", "replace").replace(b"\0", b"")
    return data[-most:].decode("utf-8", "ignore")
