"""The command line: one file a command or group, imported when it is used."""

import importlib
import sys

import click

from taskq_server import __version__
from taskq_server.core.errors import TaskqError

_COMMANDS = ("api", "db", "dev", "worker")


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"taskq_server.cli.{cmd_name}"), cmd_name
        )
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taskq-server")
def cli() -> None:
    """Run taskq: `dev` for everything in one process, `api` and `worker` for deployments.

    Every setting is also an environment variable: TASKQ_ and its name in capitals.
    """


def main() -> None:
    """Run the command line; an error of taskq's own is one sentence and exit status 1."""
    sys.path.insert(0, "")
    try:
        cli(auto_envvar_prefix="TASKQ")
    except TaskqError as error:
        click.echo(f"taskq-server: {error}", err=True)
        sys.exit(1)
