"""Functions that are not async, and return what has to be awaited."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from taskq_server.domain.task import Outcome, Status
from taskq_server.handlers.context import State
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.calls import Calls
from taskq_server.worker.hooks.user_state import shut_down, start_up
from tests.unit.server.worker.attempts import LIMITS, attempt_of, decided, handler_of, run


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def in_a_loop_of_its_own(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(function(*args, **kwargs))

    return call


async def add(a: int, b: int = 1) -> int:
    await asyncio.sleep(0)
    return a + b


def task_of(a: int) -> Awaitable[int]:
    return add(a)


class Adder:
    async def __call__(self, a: int) -> int:
        return await add(a)


class Starter:
    def __call__(self, a: int) -> Awaitable[int]:
        return add(a)


FUNCTIONS = [
    traced(add),
    traced(traced(add)),
    in_a_loop_of_its_own(add),
    task_of,
    functools.partial(add, b=1),
    functools.partial(traced(add), b=1),
    Adder(),
    Starter(),
]


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_its_result_is_what_it_gives_in_the_end(function: Any) -> None:
    ended = await run(function, {"a": 41})
    assert (ended.task.status, ended.attempt.result) == (Status.SUCCEEDED, "42")


async def raising() -> None:
    raise KeyError("broken")


async def test_what_it_raises_is_charged() -> None:
    ended = await run(traced(raising))
    assert (ended.task.status, ended.attempt.error_type) == (Status.RETRYING, "KeyError")


async def for_ever() -> None:
    await asyncio.sleep(3_600)


async def test_it_has_no_more_time_than_others() -> None:
    ended = await run(traced(for_ever), timeout_seconds=0.1)
    assert ended.attempt.outcome is Outcome.TIMED_OUT


async def test_it_is_cancelled_and_holds_no_thread() -> None:
    executor = Executor(1, LIMITS)
    attempt = attempt_of()
    other = attempt_of({"a": 41})
    waiting = asyncio.create_task(executor.run(handler_of(traced(for_ever)), attempt))
    run_result = await executor.run(handler_of(traced(add)), other)
    attempt.interrupt(StopReason.CANCEL)
    ended = decided(await waiting, attempt.task)
    executor.close()
    assert decided(run_result, other.task).attempt.result == "42"
    assert ended.attempt.outcome is Outcome.CANCELLED
    assert not executor.stuck.is_set()


async def test_hooks_are_awaited_too() -> None:
    heard: list[object] = []

    async def hook(argument: object) -> None:
        await asyncio.sleep(0)
        heard.append(argument)

    assert await Calls(10)(traced(hook), 1) is None
    assert heard == [1]
    hooks = {Hook.STARTUP: [traced(hook)], Hook.SHUTDOWN: [functools.partial(traced(hook))]}
    registry, state = Registry({}, hooks), State()
    assert await start_up(registry, state, stop=asyncio.Event())
    assert heard == [1, state]
    await shut_down(registry, state, 10, hurry=asyncio.Event())
    assert heard == [1, state, state]
    assert isinstance(await Calls(10)(traced(_failing), 1), KeyError)


async def _failing(argument: object) -> None:
    raise KeyError(argument)


async def test_a_stop_at_the_end_of_the_last_start_up_hook_raises_nothing() -> None:
    """The event loop has the call that gives up on its list when there is nothing left to end."""
    stop, raised = asyncio.Event(), list[dict[str, object]]()

    async def hook(_: State) -> None:
        stop.set()
        await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: raised.append(context))
    try:
        assert await start_up(Registry({}, {Hook.STARTUP: [hook]}), State(), stop)
        for _ in range(3):  # whatever is on its list has its turn
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert raised == []
