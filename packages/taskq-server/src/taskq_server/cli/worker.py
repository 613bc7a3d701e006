"""`taskq-server worker`: runs tasks, in a child process that is replaced when it dies."""

import sys

import click

from taskq_server.cli import logs
from taskq_server.cli.preparation import leave, require_redis, require_schema, run, stop_event
from taskq_server.core.config import Settings
from taskq_server.core.errors import TaskqError
from taskq_server.handlers.registry import Registry, load
from taskq_server.runtime import open_runtime
from taskq_server.worker.process import run_worker
from taskq_server.worker.supervisor import (
    EXIT_CONFIGURATION,
    EXIT_RECYCLE,
    Parent,
    Supervisor,
)


@click.command()
@click.option("--handlers", envvar="TASKQ_HANDLERS", help="modules with handlers, by commas")
@click.option("--queues", envvar="TASKQ_QUEUES", help="queues to listen to, by commas")
@click.option("--concurrency", type=int, envvar="TASKQ_CONCURRENCY", help="attempts at once")
@click.option("--log-level", default="INFO", show_default=True, envvar="TASKQ_LOG_LEVEL")
def worker(
    handlers: str | None, queues: str | None, concurrency: int | None, log_level: str
) -> None:
    """Run tasks until SIGTERM or Ctrl-C; then drain. Needs the database's and Redis' URL."""
    logs.configure(log_level)
    parent = Parent()
    if not parent.exists:
        sys.exit(Supervisor().run())
    try:
        settings = Settings.load(handlers=handlers, queues=queues, concurrency=concurrency)
        require_redis(settings)
        recycle = run(_work(settings, load(settings.handlers), parent))
    except TaskqError as error:
        click.echo(f"taskq-server: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    leave(EXIT_RECYCLE if recycle else 0)


async def _work(settings: Settings, registry: Registry, parent: Parent) -> bool:
    await require_schema(settings)
    stop = stop_event()
    async with open_runtime(settings) as runtime:
        return await run_worker(runtime, registry, stop, parent)
