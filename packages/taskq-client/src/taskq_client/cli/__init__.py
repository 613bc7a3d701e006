"""The command `taskq`: its global options, and how each of its ends becomes an exit code."""

import io
import sys
from typing import Any, NoReturn

import click

from taskq_client._version import __version__
from taskq_client.cli import catalog, completion, submits, tasks
from taskq_client.cli.problems import INTERRUPTED, explain
from taskq_client.cli.session import Session
from taskq_client.errors import TaskqError

HELP = """Submit tasks to a taskq server, wait for them and look after them.

\b
Exit codes:
    0  done
    1  the task failed or was cancelled
    2  a wrong option, argument or value
    3  the server refused or failed
    4  the server is away, or is no taskq server
    5  the wait timed out; the task goes on
  130  interrupted with Ctrl-C; the task goes on
"""


class TaskqGroup(click.Group):
    """A group that ends every error with one sentence on stderr and its exit code."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the command line and exit."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except (TaskqError, click.ClickException) as error:
            code, sentence = explain(error)
            click.echo(f"taskq: {sentence}", err=True)
        except click.Abort:
            code = INTERRUPTED
            click.echo("taskq: interrupted; a task that was submitted goes on.", err=True)
        sys.exit(code)


@click.group(cls=TaskqGroup, help=HELP, no_args_is_help=False)
@click.option("--url", help="The server. Default: TASKQ_URL, else http://127.0.0.1:8000.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table or text.")
@click.version_option(__version__, prog_name="taskq")
@click.pass_context
def main(context: click.Context, url: str | None, as_json: bool) -> None:
    """Carry the global options to the commands."""
    context.obj = Session(url, as_json=as_json, terminal=sys.stdout.isatty())


for command in (
    *(submits.submit, submits.run),
    *(tasks.get, tasks.list_, tasks.wait, tasks.events, tasks.cancel, tasks.retry, tasks.delete),
    *(catalog.handlers, catalog.tags, catalog.stats, completion.completion),
):
    main.add_command(command)
