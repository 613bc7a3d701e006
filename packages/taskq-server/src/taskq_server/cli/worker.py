"""`taskq-server worker`: runs tasks, in a child process that is replaced when it dies.

The parent imports next to nothing; the child's part is in `working.py`.
"""

import sys

import click

from taskq_server.cli import options
from taskq_server.core import logs
from taskq_server.worker.supervisor import Parent, Supervisor


@click.command()
@options.handlers
@click.option("--queues", envvar="TASKQ_QUEUES", help="queues to listen to, by commas")
@click.option("--concurrency", type=int, envvar="TASKQ_CONCURRENCY", help="attempts at once")
@options.log_level
def worker(
    handlers: str | None, queues: str | None, concurrency: int | None, log_level: str
) -> None:
    """Run tasks until SIGTERM or Ctrl-C; then drain. Needs the database's and Redis' URL."""
    logs.configure(log_level)
    parent = Parent()
    if not parent.exists:
        sys.exit(Supervisor().run())
    from taskq_server.cli import working

    working.work(parent, handlers=handlers, queues=queues, concurrency=concurrency)
