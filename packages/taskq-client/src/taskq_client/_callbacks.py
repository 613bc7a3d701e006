"""Callbacks: functions of users that an operation calls, and awaits where it can."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from taskq_client.errors import InvalidRequest

T = TypeVar("T")

Callback = Callable[[T], object]
Checked = AbstractContextManager[Callback[T] | None]
"""The extent of an operation, in which it may call the callback."""


def check_callback(name: str, function: object) -> None:
    """Check that a callback takes one argument, before anything is sent."""
    if function is None:
        return
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidRequest(f"{name} is a generator, which nobody would iterate over")
    if not callable(function):
        raise InvalidRequest(f"{name} must be a function, not {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except Exception:
        return  # a function in C, or one with unreadable annotations, is called unchecked
    try:
        signature.bind(None)
    except TypeError:
        raise InvalidRequest(f"{name} must be a function that takes one argument") from None


async def call_back(function: Callable[[T], object], value: T) -> None:
    """Call a callback, and await its result if that is awaitable."""
    returned = function(value)
    if inspect.isawaitable(returned):
        await returned


def awaited_callback(name: str, function: Callback[T] | None) -> Checked[T]:
    """Check a callback of an operation that is awaited; it may be a coroutine function.

    Args:
        name: The name of the argument.
        function: The callback, if there is one.
    """
    check_callback(name, function)
    return nullcontext(function)


def blocking_callback(name: str, function: Callback[T] | None) -> Checked[T]:
    """Check a callback of an operation that blocks, and refuse one that has to be awaited.

    Some callbacks show only by their result that they have to be awaited. The operation then goes
    on to its end, so that no task is forgotten, and raises instead of returning.

    Args:
        name: The name of the argument.
        function: The callback, if there is one.
    """
    if function is None:
        return nullcontext()
    check_callback(name, function)
    refusal = InvalidRequest(
        f"{name} is a coroutine function, or returns something to await: "
        "only an AsyncTaskqClient awaits it"
    )
    if _is_async(function):
        raise refusal
    return _refused_if_awaitable(function, refusal)


@contextmanager
def _refused_if_awaitable(function: Callback[T], refusal: InvalidRequest) -> Iterator[Callback[T]]:
    awaited = False

    def call(value: T) -> None:
        nonlocal awaited
        returned = None if awaited else function(value)
        if inspect.isawaitable(returned):
            awaited = True
            if inspect.iscoroutine(returned):
                returned.close()

    try:
        yield call
    except Exception as error:
        if awaited:
            raise refusal from error
        raise
    if awaited:
        raise refusal


def _is_async(function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    return any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))
