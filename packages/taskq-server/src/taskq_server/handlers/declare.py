"""The decorators and exceptions for authors of handlers.

A decorator only marks the function; `registry.load` finds the marks in the modules that it loads.
So importing a module has no other effect.
"""

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import FunctionType, UnionType
from typing import Any, ParamSpec, TypeVar, get_args, overload

from taskq_server.domain import limits
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.declarations import HandlerSchedule
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults
from taskq_server.handlers.clients import PriorityName
from taskq_server.handlers.defaults import task_defaults
from taskq_server.handlers.schedules import handler_schedule
from taskq_server.handlers.submitting import FunctionSubmit
from taskq_server.handlers.typed import TypedHandler

MARK = "__taskq__"

DECLARED = "__taskq_declared__"
"""The global of a module that lists its marked functions, so that `registry.load` misses none."""

ErrorClasses = type[BaseException] | Collection[type[BaseException]] | Iterator[type[BaseException]]

Function = TypeVar("Function", bound=Callable[..., Any])
P = ParamSpec("P")
ResultT = TypeVar("ResultT")


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
    process: bool = False
    defaults: TaskDefaults = SAYS_NOTHING
    schedule: HandlerSchedule | None = None


class Hook(StrEnum):
    """The moments at which user code can run."""

    STARTUP = "on_startup"
    SHUTDOWN = "on_shutdown"
    RETRY = "on_retry"
    JOB_FAILURE = "on_job_failure"


@overload
def handler(name: Callable[P, ResultT], /) -> TypedHandler[P, ResultT]: ...


@overload
def handler(
    name: str | None = None,
    *,
    max_retries: int | None = None,
    timeout: float | None = None,
    backoff: Backoff | None = None,
    retry_on: ErrorClasses = Exception,
    process: bool = False,
    queue: str | None = None,
    priority: PriorityName | None = None,
    tags: Collection[str] = (),
    unique_key: str | None = None,
    schedule: str | timedelta | None = None,
    timezone: str | None = None,
    schedule_namespace: str | None = None,
) -> Callable[[Callable[P, ResultT]], TypedHandler[P, ResultT]]: ...


def handler(
    name: Callable[..., Any] | str | None = None,
    *,
    max_retries: int | None = None,
    timeout: float | None = None,
    backoff: Backoff | None = None,
    retry_on: ErrorClasses = Exception,
    process: bool = False,
    queue: str | None = None,
    priority: PriorityName | None = None,
    tags: Collection[str] = (),
    unique_key: str | None = None,
    schedule: str | timedelta | None = None,
    timezone: str | None = None,
    schedule_namespace: str | None = None,
) -> Callable[..., Any]:
    """Make a function, async or sync, the handler of the tasks that name it.

    Its parameters are the keys of the payload, validated by pydantic; one annotated `Context`
    receives the context. A sync function runs in a thread, or with `process=True` in a process. The
    function itself stays as it is, and gets `submit`, as `TypedHandler` says.

    Args:
        name: the name for tasks to use: letters, digits and `_ . : / -`, at most 128 characters.
            Without it, and without parentheses, tasks use `module.function`.
        max_retries: retries after the first try, 0 to 100; None takes the server's setting.
        timeout: seconds one attempt may run, up to 24 hours; None takes the server's setting.
        backoff: the wait between tries.
        retry_on: class or classes of exceptions to retry; any other `Exception` fails the task at
            once. A timeout, an exit and any other `BaseException` is always retried.
        process: whether each attempt of a sync function has a process of the worker for itself,
            because it computes for long or must end when it is cancelled.
        queue: the queue of tasks whose submit names none; None means `default`.
        priority: of tasks whose submit names none; None means `normal`.
        tags: of tasks whose submit names none, not even an empty list; at most 32.
        unique_key: a JSON pointer (RFC 6901) to what makes a task unique in its payload, such as
            `/customer_id`: while a task for one customer waits or runs, another submit for the same
            one finds it. `""` stands for the whole payload. A task without a value there, or with
            null, is not unique, and a unique key that a submit names wins.
        schedule: when a task is submitted without anybody's asking, with an empty payload: a cron
            expression, or a period from a second to 366 days. Without it, none is.
        timezone: the IANA zone of the expression; None means UTC.
        schedule_namespace: whose tasks these are, for workers of several namespaces.

    Raises:
        ConfigurationError: the function cannot have that name or run in a process, `retry_on` has a
            value that is not a class of exceptions, no task can have such a queue, priority, tag or
            unique key, or there is no such schedule or zone.
    """
    if name is not None and not isinstance(name, str):
        return handler()(name)
    what = "@handler" if name is None else f"handler {name}"
    errors = _error_classes(what, retry_on)
    defaults = task_defaults(what, queue, priority, tags, unique_key)
    declared = handler_schedule(what, schedule, timezone, schedule_namespace)

    def decorate(function: Function) -> Function:
        own = _own_name(function) if name is None else name
        _check_process(process, function, own)
        mark = HandlerMark(own, max_retries, timeout, backoff, errors, process, defaults, declared)
        return _with_submit(_marked(function, mark), own)

    return decorate


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


def _own_name(function: object) -> str:
    """Return the name that a function has where workers import it."""
    about = qualified_name(function)
    if isinstance(function, type) or not callable(function):
        raise ConfigurationError(f"@handler: {about} is no function")
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ConfigurationError(
            f'@handler: {about} has no name of its own: name its tasks, as in @handler("…")'
        )
    if module == "__main__":
        raise ConfigurationError(
            f"@handler: {about} is in the script that is run, which workers do not know by a name: "
            'name its tasks, as in @handler("…"), or move it to a module'
        )
    return f"{module}.{name}"


def _check_process(process: object, function: object, name: str) -> None:
    if not isinstance(process, bool):
        raise ConfigurationError(
            f"handler {name}: process is True or False; TASKQ_PROCESSES is the number of processes"
        )
    if process and is_coroutine_function(function):
        raise ConfigurationError(
            f"handler {name}: process=True is for functions that compute, and an async one waits: "
            "write it with `def`, or leave process=True out"
        )


def is_coroutine_function(function: object) -> bool:
    """Return whether calling a function, or an object, makes a coroutine."""
    called: Callable[..., Any] = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _error_classes(what: str, given: object) -> tuple[type[BaseException], ...]:
    if isinstance(given, type) and issubclass(given, BaseException):
        return (given,)
    if isinstance(given, UnionType):
        return _error_classes(what, get_args(given))
    if isinstance(given, Collection | Iterator) and not isinstance(given, str | bytes):
        return tuple(each for inner in given for each in _error_classes(what, inner))
    raise ConfigurationError(f"{what}: retry_on takes classes of exceptions, not {given!r:.80}")


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


def _with_submit(function: Function, name: str) -> Function:
    """Add `submit` to a function; an object that is called as one may have its own."""
    if not hasattr(function, "submit"):
        with suppress(AttributeError):
            setattr(function, "submit", FunctionSubmit(name, function))  # noqa: B010
    return function


def qualified_name(function: object) -> str:
    """Return the name of a function, or of a similar object, for a sentence."""
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else f"{function!r:.80}"
