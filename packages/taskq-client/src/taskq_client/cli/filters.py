"""The options that say which tasks a command is about."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from taskq_client.cli.completion import handler_names, queue_names, schedule_names, tag_names
from taskq_client.cli.options import Word, moment
from taskq_client.models import Priority, TaskStatus

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_FILTERS = (
    click.option(
        "--status", multiple=True, type=Word(TaskStatus), help="Repeat for any of several."
    ),
    click.option(
        "--priority", multiple=True, type=Word(Priority), help="Repeat for any of several."
    ),
    click.option(
        "--tag", multiple=True, shell_complete=tag_names, help="Repeat for all of several."
    ),
    click.option(
        "--handler", multiple=True, shell_complete=handler_names, help="Repeat for any of several."
    ),
    click.option(
        "--queue", multiple=True, shell_complete=queue_names, help="Repeat for any of several."
    ),
    click.option("--error-type", help="Failed or retrying because of it, as ValueError."),
    click.option("--attempt-min", type=click.IntRange(min=1), help="So many attempts, or more."),
    click.option(
        "--created-after", callback=moment, help="A time, as 2026-10-01T12:00:00Z, or 2h ago."
    ),
    click.option(
        "--created-before", callback=moment, help="A time, as 2026-10-01T12:00:00Z, or 2h ago."
    ),
    click.option("--finished-after", callback=moment, help="Final since then, or later."),
    click.option("--finished-before", callback=moment, help="Final since before then."),
    click.option(
        "--schedule", shell_complete=schedule_names, help="Fired by the schedule of this name."
    ),
    click.option("--title-prefix", "--q", "q", metavar="TEXT", help="How the title begins."),
)


def task_filters(function: FunctionT) -> FunctionT:
    """Add the options to a command, in this order."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function
