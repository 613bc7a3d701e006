"""The commands on stored tasks."""

import json
import time
from collections.abc import Callable
from itertools import islice
from typing import TypeVar, Unpack

import click

from taskq_client._runs import result_of
from taskq_client.cli.completion import task_ids
from taskq_client.cli.filters import task_filters
from taskq_client.cli.ids import read_id, whole_id
from taskq_client.cli.options import (
    OptionalValue,
    OptionalValueCommand,
    Seconds,
    json_option,
)
from taskq_client.cli.session import Session, fields_of
from taskq_client.cli.streams import check_reader
from taskq_client.cli.suggestions import unknown_filters
from taskq_client.models import ListFilters

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])

LARGEST_PAGE = 200
MOST_TASKS = 1_000_000_000
WATCH_SECONDS = 2.0


def _with_id(function: FunctionT) -> FunctionT:
    with_json = json_option(function)
    return click.argument("task_id", metavar="ID", callback=read_id, shell_complete=task_ids)(
        with_json
    )


@click.command()
@_with_id
@click.pass_obj
def get(session: Session, task_id: str) -> None:
    """Show a task.

    Its first characters are enough as ID, if no other task's id begins with them. In a pipe a
    line for each field: name, tab, value.
    """
    with session.client() as client:
        session.show(client.get(whole_id(client, task_id)))


@click.command()
@_with_id
@click.pass_obj
def attempts(session: Session, task_id: str) -> None:
    """Show how the attempts of a task went.

    Those that have ended, each with its traceback. In a pipe a line for each, with tabs between:
    attempt, outcome, started_at, finished_at, and type and message of its error.
    """
    with session.client() as client:
        session.show_attempts(client.attempts(whole_id(client, task_id)))


@click.command("list", cls=OptionalValueCommand)
@task_filters
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
    """List tasks.

    In a pipe a line for each, with tabs between: id, status, priority, handler, created_at and
    title.
    """
    filters["limit"] = min(most, LARGEST_PAGE)
    with session.client() as client:
        if watch is None:
            found = islice(client.list(**filters), most)
            if not session.for_people:
                session.show_all(found)
                return
            tasks = list(found)
            session.show_all(tasks)
            for sentence in () if tasks else unknown_filters(client, filters):
                session.show_sentence(sentence)
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
    """Wait for the end of a task.

    The task is shown, and one that failed or was cancelled is exit code 1.
        Outages of the server are waited out, but without --timeout only once it has answered.
    """
    with session.client() as client:
        task = client.wait(whole_id(client, task_id), timeout)
    session.show(task)
    result_of(task)


@click.command()
@_with_id
@click.option("--timeout", type=Seconds(), help="Seconds to follow. Default: as long as it takes.")
@click.pass_obj
def events(session: Session, task_id: str, timeout: float | None) -> None:
    """Follow a task, a line for each state.

    It ends with the task. In a pipe, with tabs between: version, status, attempt and progress.
    """
    with session.client() as client:
        for task in client.stream(whole_id(client, task_id), timeout):
            if session.as_json:
                click.echo(json.dumps(fields_of(task)))
            else:
                session.show_state(task)


@click.command()
@_with_id
@click.pass_obj
def cancel(session: Session, task_id: str) -> None:
    """Cancel a task.

    One that runs is told to stop, and is cancelled when it has.
    """
    with session.client() as client:
        session.show_line(client.cancel(whole_id(client, task_id)))


@click.command()
@_with_id
@click.pass_obj
def retry(session: Session, task_id: str) -> None:
    """Queue a failed or cancelled task again."""
    with session.client() as client:
        session.show_line(client.retry(whole_id(client, task_id)))


@click.command()
@_with_id
@click.pass_obj
def delete(session: Session, task_id: str) -> None:
    """Delete a task that is not running.

    In a pipe, nothing is printed.
    """
    with session.client() as client:
        found = whole_id(client, task_id)
        client.delete(found)
    if session.as_json:
        click.echo(json.dumps({"id": found}))
    elif session.terminal:
        click.echo(f"deleted {found}")
