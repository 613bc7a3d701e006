"""The state that start-up hooks prepare for handlers, from a worker's start to its stop."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from taskq_server.core.background import unless
from taskq_server.core.processes import ForksEnd
from taskq_server.domain.errors import StartUpFailed
from taskq_server.handlers.context import State
from taskq_server.handlers.declare import Hook, qualified_name
from taskq_server.handlers.registry import Registry
from taskq_server.worker.attempts.failures import message_of, name_of
from taskq_server.worker.calls import Calls, in_thread

_log = logging.getLogger("taskq.server.handler")


async def start_up(registry: Registry, state: State, stop: asyncio.Event) -> bool:
    """Run the `@on_startup` hooks, without a time limit.

    Args:
        registry: contains the hooks.
        state: the hooks set its attributes.
        stop: when set, cancels a running hook, or leaves it behind.

    Returns:
        Whether all hooks have run.

    Raises:
        StartUpFailed: a hook raised an error.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    stopped = asyncio.create_task(stop.wait())
    is_over = False

    def give_up(_: object) -> None:
        if not is_over:  # the event loop may have it on its list already
            limit.reschedule(loop.time())

    try:
        async with limit:  # in this task, because handlers inherit the context variables of hooks
            stopped.add_done_callback(give_up)
            try:
                for hook in registry.hooks_for(Hook.STARTUP):
                    await _start(hook, state, stop)
            finally:
                is_over = True
                stopped.remove_done_callback(give_up)
                stopped.cancel()
    except TimeoutError:
        return False
    return True


async def shut_down(registry: Registry, state: State, seconds: float, hurry: asyncio.Event) -> None:
    """Run the `@on_shutdown` hooks.

    Args:
        registry: contains the hooks.
        state: the state that start-up hooks prepared.
        seconds: time limit of one hook; an overdue hook is left behind.
        hurry: when set, the running hook is left behind, and no other hook is started. An event
            that is set already does not count.
    """
    calls = Calls(seconds)

    async def run() -> None:
        for hook in registry.hooks_for(Hook.SHUTDOWN):
            error = await calls(hook, state)
            if error is not None:
                _log.error("the shutdown hook %s failed", qualified_name(hook), exc_info=error)

    await unless(asyncio.Event() if hurry.is_set() else hurry, run())


async def _start(hook: Callable[..., Any], state: State, stop: asyncio.Event) -> None:
    try:
        if inspect.iscoroutinefunction(hook):
            with ForksEnd():
                await hook(state)
        elif (error := await in_thread(hook, state)) is not None:
            raise error
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and stop.is_set():
            raise
        _log.exception("the start-up hook %s failed", qualified_name(hook))
        why = " ".join(f"{name_of(error)}: {message_of(error)}".split())
        raise StartUpFailed(f"the start-up hook {qualified_name(hook)} failed: {why}") from None
