"""Completion in a shell: click completes commands and options, the server handlers and ids."""

from itertools import islice

import click
from click.shell_completion import CompletionItem, get_completion_class

from taskq_client._sync import TaskqClient
from taskq_client.cli.session import plain
from taskq_client.errors import TaskqError

TIMEOUT = 1.0
MOST = 50


def handler_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a handler."""
    try:
        with _client(context) as client:
            found = client.handlers()
    except TaskqError:
        return []
    return [
        CompletionItem(plain(handler.name), help=_one_line(handler.description or ""))
        for handler in found
        if handler.name.startswith(incomplete)
    ]


def task_ids(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the id of one of the newest tasks."""
    try:
        with _client(context) as client:
            found = list(islice(client.list(limit=MOST), MOST))
    except TaskqError:
        return []
    return [
        CompletionItem(plain(task.id), help=_one_line(f"{task.status} {task.title}"))
        for task in found
        if task.id.startswith(incomplete)
    ]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete taskq's commands, options, handlers and ids.

    For bash, put this into ~/.bashrc: eval "$(taskq completion bash)"
    """
    make = get_completion_class(shell)
    assert make is not None
    click.echo(make(context.find_root().command, {}, "taskq", "_TASKQ_COMPLETE").source())


def _one_line(text: str) -> str:
    return plain(" ".join(text.split()))


def _client(context: click.Context) -> TaskqClient:
    url = context.find_root().params.get("url")
    return TaskqClient(url, timeout=TIMEOUT, max_retries=0)
