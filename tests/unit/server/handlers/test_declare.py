"""The decorators and exceptions of handlers."""

import asyncio
import math
from functools import partial
from typing import Any

import pytest

from taskq_server import (
    Fatal,
    Retry,
    handler,
    on_job_failure,
    on_retry,
    on_shutdown,
    on_startup,
)
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers.declare import MARK, HandlerMark, Hook


def test_a_handler_stays_the_function_it_was() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    marked = handler("add", max_retries=2, timeout=3, retry_on=KeyError)(add)
    assert marked is add
    assert marked(1, 2) == 3
    assert getattr(add, MARK) == HandlerMark("add", 2, 3, None, (KeyError,))


@pytest.mark.parametrize(
    ("decorate", "hook"),
    [
        (on_startup, Hook.STARTUP),
        (on_shutdown, Hook.SHUTDOWN),
        (on_retry, Hook.RETRY),
        (on_job_failure, Hook.JOB_FAILURE),
    ],
)
def test_hooks_are_marked(decorate: object, hook: Hook) -> None:
    def function(_: object) -> str:
        return "called"

    marked = decorate(function)  # type: ignore[operator]
    assert marked is function
    assert marked(1) == "called"
    assert getattr(function, MARK) is hook


@pytest.mark.parametrize("after", [None, 0, 0.5, 31_536_000])
def test_retry_says_after_how_long(after: float | None) -> None:
    error = Retry("later", after=after)
    assert (str(error), error.after) == ("later", after)
    assert str(Retry())


@pytest.mark.parametrize("after", [-1, -0.001, math.nan, math.inf, 31_536_001])
def test_retry_refuses_nonsense(after: float) -> None:
    with pytest.raises(ValueError, match="after"):
        Retry(after=after)


class Left(BaseException):
    pass


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (KeyError, (KeyError,)),
        ((), ()),
        ([KeyError, OSError], (KeyError, OSError)),
        ((KeyError, (OSError, (ValueError,))), (KeyError, OSError, ValueError)),
        ({KeyError}, (KeyError,)),
        (frozenset({KeyError}), (KeyError,)),
        ({KeyError: 1}.keys(), (KeyError,)),
        ((one for one in (KeyError, OSError)), (KeyError, OSError)),
        (KeyError | OSError, (KeyError, OSError)),
        (map(type, [KeyError()]), (KeyError,)),
        (
            [Left, asyncio.CancelledError, BaseException],
            (Left, asyncio.CancelledError, BaseException),
        ),
    ],
)
def test_what_is_worth_a_retry_is_a_tuple_whatever_it_was(
    given: Any, classes: tuple[type, ...]
) -> None:
    def work() -> None: ...

    handler("work", retry_on=given)(work)
    assert getattr(work, MARK).retry_on == classes


@pytest.mark.parametrize(
    "given",
    [None, "ConnectionError", b"x", ["KeyError"], KeyError(), [KeyError()], 5, [KeyError, None],
     int, [int], [[KeyError], [object]], {"KeyError": KeyError}, KeyError | None, lambda: KeyError],
)  # fmt: skip
def test_what_is_no_class_of_exceptions_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^handler my\.work: retry_on takes classes of"):
        handler("my.work", retry_on=given)


def test_retry_and_fatal_are_plain_exceptions() -> None:
    assert issubclass(Retry, Exception)
    assert issubclass(Fatal, Exception)
    assert not issubclass(Fatal, Retry)


@pytest.mark.parametrize("outer", [handler("other"), on_retry])
def test_one_function_has_one_use(outer: Any) -> None:
    @handler("first")
    def work() -> None: ...

    with pytest.raises(ConfigurationError, match="twice"):
        outer(work)


def bare() -> None: ...


@pytest.mark.parametrize("decorate", [handler, handler(), handler(name=None)])
def test_a_handler_without_a_name_is_called_as_its_module_and_function(decorate: Any) -> None:
    def work() -> None: ...

    assert decorate(work) is work
    assert getattr(work, MARK) == HandlerMark(f"{__name__}.work", None, None, None, (Exception,))


@pytest.mark.parametrize(
    "decorate", [handler, handler(), handler(process=True), handler(max_retries=1)]
)
def test_a_script_is_no_module_that_workers_could_name(decorate: Any) -> None:
    def work() -> None: ...

    work.__module__ = "__main__"
    with pytest.raises(ConfigurationError, match=r"work is in the script .* @handler\(\"…\"\)"):
        decorate(work)
    assert not hasattr(work, MARK)
    handler("by.name")(work)


@pytest.mark.parametrize(
    ("given", "what"),
    [(5, "5 is no function"), (int, "int is no function"), (partial(bare), "no name of its own")],
)
def test_what_has_no_name_needs_one(given: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^@handler: .*{what}"):
        handler(given)


def test_without_a_name_nonsense_is_refused_all_the_same() -> None:
    with pytest.raises(ConfigurationError, match=r"^@handler: retry_on takes classes of"):
        handler(retry_on=5)  # type: ignore[arg-type]


class Waiter:
    async def __call__(self) -> None: ...


async def wait() -> None: ...


@pytest.mark.parametrize("given", [wait, partial(wait), Waiter()])
def test_an_async_function_runs_in_no_process(given: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^handler x: process=True .* write it with `def`"
    ):
        handler("x", process=True)(given)


@pytest.mark.parametrize("given", [4, 1, "yes", None])
def test_process_is_no_number_of_processes(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^handler x: .* TASKQ_PROCESSES"):
        handler("x", process=given)(bare)
