"""The command line: one module for each command or group, imported on first use."""

import contextlib
import importlib
import sys
import traceback
from os import EX_CONFIG
from typing import NoReturn

import click

from taskq_server import __version__
from taskq_server.core.processes import leave
from taskq_server.core.safe_path import leave_current_folder_out
from taskq_server.core.streams import open_closed_streams
from taskq_server.domain.errors import ConfigurationError, TaskqError

_NAME = "taskq-server"
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
@click.version_option(__version__, prog_name=_NAME)
def cli() -> None:
    """Run taskq: `dev` for everything in one process, `api` and `worker` for deployments.

    Every setting is also an environment variable: TASKQ_ and its name in capitals.
    """


def main() -> None:
    """Run the command line, and print an error as one sentence.

    The exit status is 78 (EX_CONFIG) for an error of configuration, which no restart mends, 2 for
    wrong arguments, and 1 for any other error.
    """
    open_closed_streams()
    leave_current_folder_out()
    try:
        sys.exit(cli(prog_name=_NAME, standalone_mode=False))
    except ConfigurationError as error:
        _leave(EX_CONFIG, str(error))
    except TaskqError as error:
        _leave(1, str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else _NAME
        _leave(2, f"{error.format_message()} (see `{path} --help`)")
    except click.Abort:
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        leave(1)


def _leave(status: int, sentence: str) -> NoReturn:
    with contextlib.suppress(OSError):
        click.echo(f"{_NAME}: {sentence}", err=True)
    leave(status)
