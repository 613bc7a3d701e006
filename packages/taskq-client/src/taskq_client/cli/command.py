"""The command `taskq`: its global options, and the process that it runs in."""

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import shell_complete

from taskq_client._version import __version__
from taskq_client.cli import (
    bulk,
    catalog,
    completion,
    failures,
    queues,
    schedules,
    submits,
    tasks,
)
from taskq_client.cli.exit_codes import INTERRUPTED, TERMINATED, USAGE, code_of
from taskq_client.cli.groups import SuggestingGroup
from taskq_client.cli.session import Session
from taskq_client.cli.streams import forget_unwritten, open_closed_streams, silence

NAME = "taskq"
COMPLETE = "_TASKQ_COMPLETE"
HELP = """Submit tasks to a taskq server, wait for them and look after them.

On a terminal the output is for people, in a pipe it is lines with tabs for scripts, and with
--json it is JSON. An ID may be shortened to its first characters. NO_COLOR turns colours off.

\b
Environment:
  TASKQ_URL      the server, as --url
  TASKQ_API_KEY  the key that the server wants
  TASKQ_TIMEOUT  seconds a request may take, else 10

\b
Exit codes:
    0  done
    1  the task failed or was cancelled
    2  a wrong option, argument or value
    3  the server refused or failed
    4  the server is away, or is no taskq server
    5  the wait timed out; the task goes on
    6  the output could not be written
   70  this command has a bug
  130  interrupted with Ctrl-C; the task goes on
  141  the reader of the output went away
  143  ended with SIGTERM; the task goes on
"""


class Terminated(BaseException):
    """SIGTERM has come."""


class TaskqGroup(SuggestingGroup):
    """A group that ends its process with one sentence on stderr and an exit code."""

    def __call__(self, *args: Any, **extra: Any) -> NoReturn:
        """Run as a process of its own, and end it, also after signals."""
        signal.signal(signal.SIGTERM, _terminate)
        try:
            self.main(*args, **extra)
        except (KeyboardInterrupt, Terminated) as end:  # Ctrl-C once more, while one was told of
            silence()
            sys.exit(TERMINATED if isinstance(end, Terminated) else INTERRUPTED)
        finally:
            # Nothing is left to end but the interpreter, which would show where it was.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **__: Any
    ) -> NoReturn:
        """Run the command line and exit."""
        open_closed_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        words = sys.argv[1:] if args is None else list(args)
        code = code_of(lambda: self._run(words, prog_name or NAME))
        forget_unwritten()
        sys.exit(code)

    def _run(self, words: list[str], name: str) -> int:
        if instruction := os.environ.get(COMPLETE):
            return USAGE if shell_complete(self, {}, NAME, COMPLETE, instruction) else 0
        try:
            with self.make_context(name, words) as context:
                self.invoke(context)
        except click.exceptions.Exit as end:
            return end.exit_code
        return 0


def _terminate(signal_number: int, frame: object) -> NoReturn:
    raise Terminated


@click.group(
    cls=TaskqGroup,
    help=HELP,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--url", help="The server. Default: TASKQ_URL, else http://127.0.0.1:8000.")
@click.option("--namespace", help="The namespace. Only the key of an operator needs it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; also behind the name of a command."
)
@click.version_option(__version__, prog_name=NAME)
@click.pass_context
def main(context: click.Context, url: str | None, namespace: str | None, as_json: bool) -> None:
    """Pass the global options to the commands."""
    context.obj = Session(url, as_json, sys.stdout.isatty(), namespace)


for command in (
    *(submits.submit, submits.run),
    *(tasks.get, tasks.attempts, tasks.list_, tasks.wait, tasks.events),
    *(tasks.cancel, tasks.retry, tasks.delete, bulk.bulk),
    *(queues.queues, schedules.schedules),
    *(catalog.handlers, catalog.tags, catalog.stats, catalog.workers),
    *(catalog.whoami, completion.completion),
    failures.failures,
):
    main.add_command(command)
