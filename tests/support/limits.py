"""A limit for every phase of every test, its fixtures too: nothing that hangs holds up the run.

pytest-timeout and the faulthandler of pytest both end their limits with the first failure, for the
sake of debuggers, so that the clean-up of a failed test had none. Here each of set-up, call and
clean-up has its own: when the time is up, all stacks are shown, the main thread gets an exception,
and pytest goes on. The exception comes again for the next thing that hangs. A process that takes
no exception, because C code holds it, is ended; pytest-xdist then starts another one.

The ini option `timeout` and the marker of that name are the limit of a call, `fixture_timeout` is
that of all set-up, and of all clean-up, of one test.
"""

import faulthandler
import functools
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import anyio
import pytest
from anyio import pytest_plugin

# In parts of the limit: the next exception, the end of the process, that of an async test, and that
# of each half of an async fixture.
_AGAIN = 0.25
_LAST_RESORT = 2.0
_ASYNC_TEST = 0.9
_ASYNC_FIXTURE = 0.3

_call_limit = pytest.StashKey[ExitStack]()
_stderr = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    help_text = "seconds for the set-up, and for the clean-up, of one test"
    parser.addini("fixture_timeout", help_text, default="300")


def pytest_configure(config: pytest.Config) -> None:
    """Keep a way to the terminal that output capture leaves alone."""
    assert sys.__stderr__ is not None
    config.stash[_stderr] = os.dup(sys.__stderr__.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process soon, even if a thread of a test never does."""
    seconds = _fixture_seconds(config)
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[_stderr])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Limit all set-up of a test."""
    with _limit(item, "set-up", _fixture_seconds(item.config)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Limit all clean-up after a test."""
    with _limit(item, "clean-up", _fixture_seconds(item.config)):
        return (yield)


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Limit the call of a test, instead of pytest-timeout, which would raise only once."""
    item.stash[_call_limit] = ExitStack()
    item.stash[_call_limit].enter_context(_limit(item, "call", settings.timeout))
    return True


def pytest_timeout_cancel_timer(item: pytest.Item | pytest.Collector) -> bool:
    """End the limit of the call; pytest-timeout asks for it more than once."""
    item.stash.get(_call_limit, ExitStack()).close()
    return True


def pytest_enter_pdb() -> None:
    """Let people take their time."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """End an async test from inside its event loop, so that the loop stays usable."""
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        marker = pyfuncitem.get_closest_marker("timeout")
        seconds = float(marker.args[0] if marker else pyfuncitem.config.getini("timeout"))
        pyfuncitem.obj = _limited_coroutine(pyfuncitem.obj, seconds * _ASYNC_TEST)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """End both halves of an async fixture from inside its event loop."""
    function: Callable[..., Any] = fixturedef.func
    seconds = _fixture_seconds(request.config) * _ASYNC_FIXTURE
    if inspect.isasyncgenfunction(function):
        fixturedef.func = _limited_generator(function, seconds)  # type: ignore[misc]
    elif inspect.iscoroutinefunction(function):
        fixturedef.func = _limited_coroutine(function, seconds)  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


@contextmanager
def _limit(item: pytest.Item, phase: str, seconds: float) -> Iterator[None]:
    over = False

    def expire(*_: object) -> None:
        nonlocal over
        over = True
        faulthandler.dump_traceback(2)  # captured, and shown below the failure
        pytest.fail(f"{phase} of {item.nodeid}: not within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds * _AGAIN)
    terminal = item.config.stash[_stderr]
    faulthandler.dump_traceback_later(seconds * _LAST_RESORT, exit=True, file=terminal)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if over:
            _forget_loop()


def _forget_loop() -> None:
    """Give the next async test a new loop.

    anyio keeps one whose end was interrupted, and would run all later tests in it.
    """
    if not pytest_plugin._runner_leases:
        pytest_plugin._runner_stack = pytest_plugin._current_runner = None


def _limited_coroutine(
    function: Callable[..., Awaitable[object]], seconds: float
) -> Callable[..., Awaitable[object]]:
    @functools.wraps(function)
    async def run(**arguments: object) -> object:
        with anyio.fail_after(seconds):
            return await function(**arguments)

    return run


def _limited_generator(
    function: Callable[..., AsyncIterator[object]], seconds: float
) -> Callable[..., AsyncIterator[object]]:
    @functools.wraps(function)
    async def run(**arguments: object) -> AsyncIterator[object]:
        halves = function(**arguments)
        with anyio.fail_after(seconds):
            value = await anext(halves)
        yield value
        with anyio.fail_after(seconds):
            assert await anext(halves, _END) is _END, "a fixture yields once"

    return run


_END = object()


def _fixture_seconds(config: pytest.Config) -> float:
    return float(cast(str, config.getini("fixture_timeout")))
