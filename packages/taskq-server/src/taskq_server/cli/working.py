"""What the child of `taskq-server worker` does."""

import sys
from typing import NoReturn

import click

from taskq_server.cli.preparation import (
    leave,
    require_redis,
    require_schema,
    run,
    settle,
    stop_event,
)
from taskq_server.core.config import Settings
from taskq_server.core.errors import TaskqError
from taskq_server.handlers.registry import Registry, load
from taskq_server.runtime import open_runtime
from taskq_server.worker.process import run_worker
from taskq_server.worker.supervisor import EXIT_CONFIGURATION, EXIT_RECYCLE, Parent


def work(parent: Parent, **overrides: object) -> NoReturn:
    """Work until told to stop, and end the process with a status that the parent understands.

    Args:
        parent: the supervisor.
        overrides: settings that the command line gave.
    """
    try:
        settings = Settings.load(**overrides)
        require_redis(settings)
        run(_work(settings, load(settings.handlers), parent))
    except TaskqError as error:
        click.echo(f"taskq-server: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    leave(0)


async def _work(settings: Settings, registry: Registry, parent: Parent) -> None:
    await require_schema(settings)
    stop = stop_event()
    settle()
    async with open_runtime(settings, patient=True) as runtime:
        recycle = await run_worker(runtime, registry, stop, parent)
    if recycle:
        # The loop would wait for the handler that cannot be stopped.
        leave(EXIT_RECYCLE)
