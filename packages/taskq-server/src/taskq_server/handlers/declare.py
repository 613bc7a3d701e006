"""The decorators and exceptions for authors of handlers.

A decorator only marks the function; `registry.load` finds the marks in the modules that it loads.
So importing a module has no other effect.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import FunctionType, UnionType
from typing import Any, TypeVar, get_args

from taskq_server.domain import limits
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import ConfigurationError

MARK = "__taskq__"

DECLARED = "__taskq_declared__"
"""The global of a module that lists its marked functions, so that `registry.load` misses none."""

ErrorClasses = type[BaseException] | Collection[type[BaseException]] | Iterator[type[BaseException]]

Function = TypeVar("Function", bound=Callable[..., Any])


class Retry(Exception):
    """Raise it to end this attempt and try again; the retry is charged like any failure.

    Args:
        message: the reason, which is stored as the attempt's error.
        after: seconds until the next try, instead of the back-off; 0 or more.
    """

    def __init__(self, message: str = "retry asked for", *, after: float | None = None) -> None:
        super().__init__(message)
        if after is not None and not 0 <= after <= limits.DELAY_SECONDS:
            raise ValueError("after must be between 0 seconds and a year")
        self.after = after


class Fatal(Exception):
    """Raise it to fail the task now, without further tries."""


@dataclass(frozen=True, slots=True)
class HandlerMark:
    """The arguments of `@handler`."""

    name: str
    max_retries: int | None
    timeout: float | None
    backoff: Backoff | None
    retry_on: tuple[type[BaseException], ...]


class Hook(StrEnum):
    """The moments at which user code can run."""

    STARTUP = "on_startup"
    SHUTDOWN = "on_shutdown"
    RETRY = "on_retry"
    JOB_FAILURE = "on_job_failure"


def handler(
    name: str,
    *,
    max_retries: int | None = None,
    timeout: float | None = None,
    backoff: Backoff | None = None,
    retry_on: ErrorClasses = Exception,
) -> Callable[[Function], Function]:
    """Make a function, async or sync, the handler of the tasks that name it.

    Its parameters are the keys of the payload, validated by pydantic; one annotated `Context`
    receives the context. A sync function runs in a thread. The function itself stays as it is.

    Args:
        name: the name for tasks to use: letters, digits and `_ . : / -`, at most 128 characters.
        max_retries: retries after the first try, 0 to 100; None takes the server's setting.
        timeout: seconds one attempt may run, up to 24 hours; None takes the server's setting.
        backoff: the wait between tries.
        retry_on: class or classes of exceptions to retry; any other `Exception` fails the task at
            once. A timeout, an exit and any other `BaseException` is always retried.

    Raises:
        ConfigurationError: the name is missing, or `retry_on` has a value that is not a class of
            exceptions.
    """
    _require_name(name)
    errors = _error_classes(name, retry_on)

    def mark(function: Function) -> Function:
        return _marked(function, HandlerMark(name, max_retries, timeout, backoff, errors))

    return mark


def on_startup(function: Function) -> Function:
    """Run `function(state)` when a worker starts, before its first task."""
    return _hook(function, Hook.STARTUP)


def on_shutdown(function: Function) -> Function:
    """Run `function(state)` when a worker stops, after its last task."""
    return _hook(function, Hook.SHUTDOWN)


def on_retry(function: Function) -> Function:
    """Run `function(event)` at least once for every attempt that will be tried again."""
    return _hook(function, Hook.RETRY)


def on_job_failure(function: Function) -> Function:
    """Run `function(event)` at least once for every task that failed for good."""
    return _hook(function, Hook.JOB_FAILURE)


def _require_name(name: object) -> None:
    if isinstance(name, str):
        return
    raise ConfigurationError(
        f'@handler needs the name of its tasks: write @handler("…") above {qualified_name(name)}'
    )


def _error_classes(name: str, given: object) -> tuple[type[BaseException], ...]:
    if isinstance(given, type) and issubclass(given, BaseException):
        return (given,)
    if isinstance(given, UnionType):
        return _error_classes(name, get_args(given))
    if isinstance(given, Collection | Iterator) and not isinstance(given, str | bytes):
        return tuple(each for inner in given for each in _error_classes(name, inner))
    raise ConfigurationError(
        f"handler {name}: retry_on takes classes of exceptions, not {given!r:.80}"
    )


def _hook(function: Function, hook: Hook) -> Function:
    return _marked(function, hook)


def _marked(function: Function, mark: "HandlerMark | Hook") -> Function:
    what = f"handler {mark.name}" if isinstance(mark, HandlerMark) else f"@{mark}"
    about = qualified_name(function)
    if isinstance(function, type) or not callable(function):
        raise ConfigurationError(f"{what}: {about} is no function")
    if hasattr(function, MARK):
        raise ConfigurationError(f"{about} is decorated twice: one function, one use")
    try:
        setattr(function, MARK, mark)
    except AttributeError:
        raise ConfigurationError(
            f"{what}: {about} is not written as a function: write one that calls it"
        ) from None
    if isinstance(function, FunctionType):
        function.__globals__.setdefault(DECLARED, []).append(function)
    return function


def qualified_name(function: object) -> str:
    """Return the name of a function, or of a similar object, for a sentence."""
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else f"{function!r:.80}"
