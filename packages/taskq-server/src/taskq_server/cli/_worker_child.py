"""The child process of `taskq-server worker`, and of `dev --reload`, which runs the tasks."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from taskq_server.cli import _announcement as announcement
from taskq_server.cli._startup import (
    prepare,
    require_redis,
    require_schema,
    run_until_stopped,
    tune_gc,
)
from taskq_server.core.addresses import Address
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.processes import leave
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers.registry import Registry, load
from taskq_server.runtime import open_runtime
from taskq_server.services.declared import declared_by
from taskq_server.worker.app import run_worker
from taskq_server.worker.liveness.health import Health
from taskq_server.worker.liveness.status_server import StatusServer
from taskq_server.worker.liveness.supervisor import EXIT_RECYCLE, SupervisorLink

Say = Callable[[Settings, str | None, Sequence[str]], None]
"""Says what a worker runs: with these settings, on this revision, these handlers."""


def work(
    parent: SupervisorLink,
    given: Mapping[str, object],
    *,
    complete: Callable[[Settings], Settings],
    say: Say,
) -> NoReturn:
    """Run tasks until told to stop, and end the process; tell the parent if start-up fails.

    Args:
        parent: the link to the supervisor.
        given: settings from the command line.
        complete: adds the defaults of the command.
        say: called once the handlers are loaded.
    """
    stop = Stop()
    parent.listen(stop.tell)
    try:
        settings = complete(prepare(stop, given, is_first=parent.is_first))
        require_redis(settings)
        status = StatusServer(Health(settings.block_seconds))
        if settings.metrics_address is not None:
            status.start(Address.parse(settings.metrics_address))
        registry = load_handlers(settings)
        run_until_stopped(stop, lambda: _work(settings, registry, parent, stop, say, status))
    except ConfigurationError:
        parent.refuse()
        raise
    leave(0)


def load_handlers(settings: Settings) -> Registry:
    """Return the handlers of a worker with these settings.

    Raises:
        ConfigurationError: they cannot be loaded, or one declares a schedule that belongs nowhere.
    """
    registry = load(settings.handlers, builtin=settings.builtin_handlers)
    declared_by(registry, settings)
    return registry


def say_what_runs(settings: Settings, revision: str | None, handlers: Sequence[str]) -> None:
    """Announce a worker that is a command of its own."""
    facts = announcement.of_lone_worker(settings, revision, handlers)
    announcement.announce("taskq worker is starting", facts, announcement.how_to_drain(settings))


def say_nothing(*_: object) -> None:
    """Announce nothing: the worker before this one has."""


async def _work(
    settings: Settings,
    registry: Registry,
    parent: SupervisorLink,
    stop: Stop,
    say: Say,
    status: StatusServer,
) -> None:
    checking = asyncio.create_task(require_schema(settings))
    if not await unless(stop.asked, checking):
        return
    say(settings, checking.result(), sorted(registry.handlers))
    tune_gc()
    with announcement.told_at_the_end("taskq worker"):
        async with open_runtime(settings, patient=True) as runtime:
            status.show(runtime.metrics, runtime.exposition)
            recycle = await run_worker(runtime, registry, stop, parent, status.health)
    if recycle:
        # Closing the loop would wait for the stuck handler.
        leave(0 if stop.asked.is_set() else EXIT_RECYCLE)
