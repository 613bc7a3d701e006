"""Completion in a shell: click completes commands and options, the server what it knows."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import click
from click.shell_completion import CompletionItem, get_completion_class

from taskq_client._sync import TaskqClient
from taskq_client.cli.ids import may_begin, tasks_with
from taskq_client.cli.schemas import assignments
from taskq_client.cli.words import plain
from taskq_client.errors import TaskqError
from taskq_client.models import Task

TIMEOUT = 1.0
MOST = 50

# Behind the `key=` of a field its value is written, not a space.
_BASH_ADDS = "COMPREPLY+=($value)"

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Known = Iterable[tuple[str, str]]
"""Words, and a few words on each."""


def _completer(known: Callable[[TaskqClient, click.Context, str], Known]) -> Completer:
    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            with _client(context) as client:
                found = list(known(client, context, incomplete))
        except TaskqError:
            return []
        return [
            CompletionItem(plain(word), help=plain(" ".join(about.split())))
            for word, about in found
            if word.startswith(incomplete)
        ]

    complete.__doc__ = known.__doc__
    return complete


@_completer
def handler_names(client: TaskqClient, context: click.Context, incomplete: str) -> Known:
    """Complete the name of a handler."""
    return [(handler.name, handler.description or "") for handler in client.handlers()]


@_completer
def queue_names(client: TaskqClient, context: click.Context, incomplete: str) -> Known:
    """Complete the name of a queue."""
    return [(queue.name, f"{queue.depth} waiting") for queue in client.stats().queues]


@_completer
def schedule_names(client: TaskqClient, context: click.Context, incomplete: str) -> Known:
    """Complete the name of a schedule."""
    return [(each.name, each.task.handler) for each in client.schedules.list()]


@_completer
def tag_names(client: TaskqClient, context: click.Context, incomplete: str) -> Known:
    """Complete a tag."""
    return [(tag.name, f"{tag.count} tasks") for tag in client.tags()]


@_completer
def payload_fields(client: TaskqClient, context: click.Context, incomplete: str) -> Known:
    """Complete a field of the payload of the handler that was named before."""
    name = context.params.get("handler")
    return (pair for each in client.handlers() if each.name == name for pair in assignments(each))


@_completer
def task_ids(
    client: TaskqClient, context: click.Context, incomplete: str
) -> Iterator[tuple[str, str]]:
    """Complete the id of one of the newest tasks, else of one that begins like this."""
    newest = islice(client.list(limit=MOST), MOST)
    found = [task for task in newest if task.id.startswith(incomplete)]
    if not found and may_begin(incomplete):
        found = tasks_with(client, incomplete, MOST)
    for task in found:
        yield task.id, _about(task)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options and their values, handlers and the fields of their payloads,
    queues, tags and ids. For bash, put this into ~/.bashrc: eval "$(taskq completion bash)"
    """
    make = get_completion_class(shell)
    assert make is not None
    source = make(context.find_root().command, {}, "taskq", "_TASKQ_COMPLETE").source()
    click.echo(
        source.replace(_BASH_ADDS, f"{_BASH_ADDS}; [[ $value == *= ]] && compopt -o nospace")
    )


def _about(task: Task) -> str:
    return f"{task.status} {task.title}"


def _client(context: click.Context) -> TaskqClient:
    given = context.find_root().params
    return TaskqClient(
        given.get("url"), namespace=given.get("namespace"), timeout=TIMEOUT, max_retries=0
    )
