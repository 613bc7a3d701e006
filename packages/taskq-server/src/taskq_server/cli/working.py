"""What the child of `taskq-server worker` does."""

import asyncio
import traceback
from typing import NoReturn

import click

from taskq_server.cli.preparation import require_redis, require_schema, run_until_stopped, settle
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.errors import ConfigurationError, TaskqError
from taskq_server.core.processes import leave
from taskq_server.handlers.registry import Registry, load
from taskq_server.runtime import open_runtime
from taskq_server.worker.process import run_worker
from taskq_server.worker.supervisor import EXIT_RECYCLE, Parent


def work(parent: Parent, **overrides: object) -> NoReturn:
    """Work until told to stop, and end the process; tell the parent if it cannot start.

    Args:
        parent: the supervisor.
        overrides: settings that the command line gave.
    """
    try:
        settings = Settings.load(**overrides)
        require_redis(settings)
        registry = load(settings.handlers, builtin=settings.builtin_handlers)
        run_until_stopped(lambda stop: _work(settings, registry, parent, stop))
    except TaskqError as error:
        click.echo(f"taskq-server: {error}", err=True)
        if isinstance(error, ConfigurationError):
            parent.refuse()
        leave(1)
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)


async def _work(
    settings: Settings, registry: Registry, parent: Parent, stop: asyncio.Event
) -> None:
    if not await unless(stop, require_schema(settings)):
        return
    settle()
    async with open_runtime(settings, patient=True) as runtime:
        recycle = await run_worker(runtime, registry, stop, parent)
    if recycle:
        # The loop would wait for the handler that cannot be stopped.
        leave(EXIT_RECYCLE)
