"""The commands on stored tasks."""

import json
import time
from collections.abc import Callable
from itertools import islice
from typing import TypeVar, Unpack

import click

from taskq_client._runs import result_of
from taskq_client.cli.completion import task_ids
from taskq_client.cli.options import (
    OptionalValue,
    OptionalValueCommand,
    Seconds,
    TaskId,
    json_option,
    moment,
)
from taskq_client.cli.session import Session, fields_of
from taskq_client.cli.streams import check_reader
from taskq_client.models import ListFilters

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])

LARGEST_PAGE = 200
MOST_TASKS = 1_000_000_000
WATCH_SECONDS = 2.0


def _with_id(function: FunctionT) -> FunctionT:
    with_json = json_option(function)
    return click.argument("task_id", metavar="ID", type=TaskId(), shell_complete=task_ids)(
        with_json
    )


@click.command()
@_with_id
@click.pass_obj
def get(session: Session, task_id: str) -> None:
    """Show the task ID."""
    with session.client() as client:
        session.show(client.get(task_id))


@click.command("list", cls=OptionalValueCommand)
@click.option("--status", multiple=True, help="Repeat for any of several.")
@click.option("--priority", multiple=True, help="Repeat for any of several.")
@click.option("--tag", multiple=True, help="Repeat for all of several.")
@click.option("--handler", help="Name of the handler.")
@click.option("--queue", help="Name of the queue.")
@click.option("--created-after", callback=moment, help="A time, as 2026-10-01T12:00:00Z.")
@click.option("--created-before", callback=moment, help="A time, as 2026-10-01T12:00:00Z.")
@click.option("--q", metavar="TEXT", help="How the title begins.")
@click.option(
    "--order", type=click.Choice(["-created_at", "created_at"]), help="Newest first, or oldest."
)
@click.option(
    "--limit",
    "most",
    type=click.IntRange(min=1, max=MOST_TASKS),
    default=50,
    show_default=True,
    help="Tasks in all.",
)
@click.option(
    "--watch",
    cls=OptionalValue,
    without_value=WATCH_SECONDS,
    type=Seconds(min_open=True),
    metavar="[SECONDS]",
    help="Look again every so often, until Ctrl-C; in a pipe, print what has changed.",
)
@json_option
@click.pass_obj
def list_(session: Session, most: int, watch: float | None, **filters: Unpack[ListFilters]) -> None:
    """List tasks; in a pipe, one line each with tabs between the columns."""
    filters["limit"] = min(most, LARGEST_PAGE)
    with session.client() as client:
        if watch is None:
            session.show_all(islice(client.list(**filters), most))
            return
        with session.watching() as show:
            while True:
                show(list(islice(client.list(**filters), most)))
                time.sleep(watch)
                check_reader()


@click.command()
@_with_id
@click.option("--timeout", type=Seconds(), help="Seconds to wait. Default: as long as it takes.")
@click.pass_obj
def wait(session: Session, task_id: str, timeout: float | None) -> None:
    """Wait until the task ID has ended, and show it."""
    with session.client() as client:
        task = client.wait(task_id, timeout)
    session.show(task)
    result_of(task)


@click.command()
@_with_id
@click.option("--timeout", type=Seconds(), help="Seconds to follow. Default: as long as it takes.")
@click.pass_obj
def events(session: Session, task_id: str, timeout: float | None) -> None:
    """Follow the task ID: a line for each of its states, up to its end."""
    with session.client() as client:
        for task in client.stream(task_id, timeout):
            if session.as_json:
                click.echo(json.dumps(fields_of(task)))
            else:
                session.show_state(task)


@click.command()
@_with_id
@click.pass_obj
def cancel(session: Session, task_id: str) -> None:
    """Cancel the task ID; one that runs is told to stop."""
    with session.client() as client:
        session.show(client.cancel(task_id))


@click.command()
@_with_id
@click.pass_obj
def retry(session: Session, task_id: str) -> None:
    """Queue the failed or cancelled task ID again."""
    with session.client() as client:
        session.show(client.retry(task_id))


@click.command()
@_with_id
@click.pass_obj
def delete(session: Session, task_id: str) -> None:
    """Delete the task ID, which is not running; nothing is printed."""
    with session.client() as client:
        client.delete(task_id)
