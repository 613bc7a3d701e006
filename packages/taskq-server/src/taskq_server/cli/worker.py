"""`taskq-server worker`: run tasks in a child process, which the parent replaces when it dies.

The parent imports next to nothing, and leaves all settings to the child (`_worker_child.py`).
"""

import logging
import sys

import click

from taskq_server.cli import _options as options
from taskq_server.cli._variables import WithVariables
from taskq_server.core import environment, logs
from taskq_server.core.service_manager import ServiceManager
from taskq_server.worker.liveness.supervisor import Supervisor, SupervisorLink


@click.command(cls=WithVariables, without=("ApiSettings", "AccessSettings"))
@options.handlers
@options.queues
@click.option(
    "--concurrency",
    type=int,
    metavar="NUMBER",
    help=options.described("concurrency", "attempts at once", 100),
)
@click.option(
    "--no-supervisor",
    is_flag=True,
    help="run tasks in this very process, which ends when it has to be replaced: for Kubernetes",
)
@options.log_format
@options.log_level
def worker(no_supervisor: bool, **given: str | int | None) -> None:
    """Run tasks until SIGTERM or Ctrl-C; then drain. Needs the database's and Redis' URL."""
    manager = ServiceManager.of_environment()
    parent = SupervisorLink(manager if no_supervisor else None)
    if not parent.replaces:
        logs.configure(_level(given["log_level"]), _form(given["log_format"]))
        sys.exit(Supervisor(manager=manager).run())
    from taskq_server.cli import _worker_child as working

    say = working.say_what_runs if parent.is_first else working.say_nothing
    working.work(parent, given, complete=lambda settings: settings, say=say)


def _level(given: object) -> str:
    """Return the level of the log; the child refuses an unknown level."""
    level = str(given or environment.read(["log_level"]).get("log_level")).upper()
    return level if level in logging.getLevelNamesMapping() else "INFO"


def _form(given: object) -> logs.Format:
    """Return the form of the log; the child refuses an unknown one."""
    form = str(given or environment.read(["log_format"]).get("log_format")).lower()
    return "json" if form == "json" else "console" if form == "console" else "auto"
