"""The command `taskq-server`: its commands, and the process that it runs in."""

import contextlib
import io
import logging
import shutil
import sys
import textwrap
import traceback
from os import EX_CONFIG
from typing import NoReturn

import click

from taskq_server import __version__
from taskq_server.cli._groups import LazyCommands
from taskq_server.core.log_text import brief
from taskq_server.core.processes import leave
from taskq_server.core.safe_path import leave_current_folder_out
from taskq_server.core.streams import open_closed_streams
from taskq_server.domain.errors import ConfigurationError, TaskqError

INTERRUPTED = 130

_NAME = "taskq-server"
_COMMANDS = {
    "api": "Serve the HTTP API.",
    "check": "Say what is wrong with a deployment.",
    "db": "Move the schema of the database.",
    "dev": "Run everything in one process.",
    "handlers": "Show handlers, and remove unused ones.",
    "keys": "Make and manage API keys.",
    "namespaces": "Make and list namespaces.",
    "settings": "Print the settings in force.",
    "worker": "Run tasks.",
}
_log = logging.getLogger("taskq.server")


@click.group(
    cls=LazyCommands,
    summaries=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=_NAME)
def cli() -> None:
    """Run taskq: `dev` for trying things out, `api` and `worker` for deployments.

    Every setting is also an environment variable, TASKQ_ and its name in capitals: `taskq-server
    settings --help` lists them.
    """


def main() -> None:
    """Run the command line, and print an error as one sentence.

    The exit status is 78 (EX_CONFIG) for an error of configuration, which no restart mends, 2 for
    wrong arguments, and 1 for any other error.
    """
    open_closed_streams()
    leave_current_folder_out()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
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
        _leave(2, f"{error.format_message().rstrip('.')} (see `{path} --help`)")
    except click.Abort:
        sys.exit(INTERRUPTED)
    except Exception as error:
        _leave(1, _bug(error))


def _bug(error: Exception) -> str:
    """Return a sentence about an error of taskq itself, and log its traceback."""
    if logging.getLogger().handlers:
        level = logging.DEBUG if sys.stderr.isatty() else logging.CRITICAL
        _log.log(level, "an error that taskq did not expect", exc_info=error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename}, line {frame.lineno}"
    return f"this is a bug of taskq, please report it: {brief(error)} ({place})"


def _leave(status: int, sentence: str) -> NoReturn:
    line = f"{_NAME}: {sentence}"
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns
        line = textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)
    with contextlib.suppress(OSError):
        click.echo(line, err=True)
    leave(status)
