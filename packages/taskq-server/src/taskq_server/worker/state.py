"""What start-up hooks prepare for handlers, from a worker's start to its stop."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskq_server.handlers.context import State
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry
from taskq_server.worker.functions import call

_log = logging.getLogger("taskq.server.worker")


@asynccontextmanager
async def user_state(registry: Registry) -> AsyncIterator[State]:
    """Run the `@on_startup` hooks, yield what they made, and run the `@on_shutdown` hooks."""
    state = State()
    for hook in registry.hooks_for(Hook.STARTUP):
        await call(hook, state)
    try:
        yield state
    finally:
        for hook in registry.hooks_for(Hook.SHUTDOWN):
            try:
                await call(hook, state)
            except Exception:
                _log.exception("the shutdown hook %s failed", hook.__name__)
