"""The command line: one file a command or group."""

import sys

import click

from taskq_server import __version__
from taskq_server.cli.api import api
from taskq_server.cli.db import db
from taskq_server.cli.dev import dev
from taskq_server.cli.worker import worker
from taskq_server.core.errors import TaskqError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taskq-server")
def cli() -> None:
    """Run taskq: `dev` for everything in one process, `api` and `worker` for deployments.

    Every setting is also an environment variable: TASKQ_ and its name in capitals.
    """


cli.add_command(dev)
cli.add_command(api)
cli.add_command(worker)
cli.add_command(db)


def main() -> None:
    """Run the command line; an error of taskq's own is one sentence and exit status 1."""
    sys.path.insert(0, "")
    try:
        cli(auto_envvar_prefix="TASKQ")
    except TaskqError as error:
        click.echo(f"taskq-server: {error}", err=True)
        sys.exit(1)
