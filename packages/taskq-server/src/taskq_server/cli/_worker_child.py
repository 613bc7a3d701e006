"""The child process of `taskq-server worker`, which runs the tasks."""

from typing import NoReturn

from taskq_server.cli._startup import (
    freeze_gc,
    prepare,
    require_redis,
    require_schema,
    run_until_stopped,
)
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.processes import leave
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers.registry import Registry, load
from taskq_server.runtime import open_runtime
from taskq_server.worker.app import run_worker
from taskq_server.worker.liveness.supervisor import EXIT_RECYCLE, SupervisorLink


def work(parent: SupervisorLink, **given: object) -> NoReturn:
    """Run tasks until told to stop, and end the process; tell the parent if start-up fails.

    Args:
        parent: the link to the supervisor.
        given: settings from the command line.
    """
    stop = Stop()
    parent.listen(stop.tell)
    try:
        settings = prepare(stop, **given)
        require_redis(settings)
        registry = load(settings.handlers, builtin=settings.builtin_handlers)
        run_until_stopped(stop, lambda: _work(settings, registry, parent, stop))
    except ConfigurationError:
        parent.refuse()
        raise
    leave(0)


async def _work(settings: Settings, registry: Registry, parent: SupervisorLink, stop: Stop) -> None:
    if not await unless(stop.asked, require_schema(settings)):
        return
    freeze_gc()
    async with open_runtime(settings, patient=True) as runtime:
        recycle = await run_worker(runtime, registry, stop, parent)
    if recycle:
        # Closing the loop would wait for the stuck handler.
        leave(EXIT_RECYCLE)
