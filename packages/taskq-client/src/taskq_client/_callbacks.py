"""Functions of users that are called with news: what they return is awaited, or refused."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from taskq_client.errors import InvalidRequest

T = TypeVar("T")


def check_callback(name: str, function: object) -> None:
    """Check what is to be called with one value, before anything is sent."""
    if function is None:
        return
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidRequest(f"{name} is a generator, which nobody would iterate over")
    if not callable(function):
        raise InvalidRequest(f"{name} must be a function, not {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except Exception:
        return  # one of C, or with annotations that cannot be read: it is called all the same
    try:
        signature.bind(None)
    except TypeError:
        raise InvalidRequest(f"{name} must be a function that takes one argument") from None


async def tell(function: Callable[[T], object], news: T) -> None:
    """Call a function, and await what it returns if that can be awaited."""
    said = function(news)
    if inspect.isawaitable(said):
        await said


def called_only(
    name: str, function: Callable[[T], object] | None
) -> AbstractContextManager[Callable[[T], object] | None]:
    """Refuse a function that would have to be awaited, which a blocking client cannot do.

    Some are known for it by what they return only. Then the call goes on to its end, so that no
    task is left to itself, and raises instead of returning.

    Args:
        name: What the argument is called.
        function: What was passed in.
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
def _refused_if_awaitable(
    function: Callable[[T], object], refusal: InvalidRequest
) -> Iterator[Callable[[T], object]]:
    awaited = False

    def call(news: T) -> None:
        nonlocal awaited
        said = None if awaited else function(news)
        if inspect.isawaitable(said):
            awaited = True
            if inspect.iscoroutine(said):
                said.close()

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
