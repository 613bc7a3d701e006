"""The commands on tasks."""

import json
import math
import sys
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

import click

from taskq_client._core import result_of
from taskq_client.cli.session import Session
from taskq_client.models import ListFilters, Priority, Task, TaskOptions

LARGEST_PAGE = 200
SECONDS = click.FloatRange(min=0)


def _moment(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-10-01T12:00:00Z") from None
    if moment is not None and moment.utcoffset() is None:
        raise click.BadParameter(f"{value!r} needs a time zone, such as a Z at its end")
    return moment


def _payload(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        if value == "-":
            text: str | bytes = sys.stdin.buffer.read()
        else:
            text = Path(value[1:]).read_bytes() if value.startswith("@") else value
        payload = json.loads(text)
    except OSError as error:
        raise click.BadParameter(f"cannot read {value[1:]!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise click.BadParameter('a payload is a JSON object, as in {"month": "2026-10"}')
    return payload


def _or_none(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


def _ended(session: Session, task: Task) -> None:
    session.show(task)
    result_of(task)


@click.command()
@click.argument("handler")
@click.option("--payload", callback=_payload, help="A JSON object, @FILE, or - for stdin.")
@click.option("--title", help="What people read in lists.")
@click.option("--priority", type=click.Choice([str(priority) for priority in Priority]))
@click.option("--tag", "tags", multiple=True, callback=_or_none, help="A word; repeat for more.")
@click.option("--queue", help="The lane of workers to use.")
@click.option("--max-retries", type=click.IntRange(min=0), help="Tries after the first one.")
@click.option("--timeout", "timeout_seconds", type=SECONDS, help="Seconds one try may run.")
@click.option("--delay", "delay_seconds", type=SECONDS, help="Seconds before it may start.")
@click.option("--idempotency-key", help="The same submit twice with one key is one task.")
@click.option(
    "--wait",
    type=SECONDS,
    is_flag=False,
    flag_value=math.inf,
    metavar="[SECONDS]",
    help="Wait for its end; write a limit as --wait=60.",
)
@click.pass_obj
def submit(
    session: Session,
    handler: str,
    payload: dict[str, Any] | None,
    idempotency_key: str | None,
    wait: float | None,
    **options: Unpack[TaskOptions],
) -> None:
    """Submit a task for HANDLER; in a pipe, print its id."""
    with session.client() as client:
        task = client.submit(handler, payload, idempotency_key=idempotency_key, **options)
        if wait is None:
            session.show_submitted(task.task)
        else:
            _ended(session, client.wait(task, wait))


@click.command()
@click.argument("task_id", metavar="ID")
@click.pass_obj
def get(session: Session, task_id: str) -> None:
    """Show the task ID."""
    with session.client() as client:
        session.show(client.get(task_id))


@click.command("list")
@click.option("--status", multiple=True, help="Repeat for any of several.")
@click.option("--priority", multiple=True, help="Repeat for any of several.")
@click.option("--tag", multiple=True, help="Repeat for all of several.")
@click.option("--handler", help="Name of the handler.")
@click.option("--queue", help="Name of the queue.")
@click.option("--created-after", callback=_moment, help="A time, as 2026-10-01T12:00:00Z.")
@click.option("--created-before", callback=_moment, help="A time, as 2026-10-01T12:00:00Z.")
@click.option("--q", metavar="TEXT", help="How the title begins.")
@click.option(
    "--order", type=click.Choice(["-created_at", "created_at"]), help="Newest first, or oldest."
)
@click.option(
    "--limit",
    "most",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Tasks in all.",
)
@click.pass_obj
def list_(session: Session, most: int, **filters: Unpack[ListFilters]) -> None:
    """List tasks; in a pipe, one line each with tabs between the columns."""
    filters["limit"] = min(most, LARGEST_PAGE)
    with session.client() as client:
        session.show_all(islice(client.list(**filters), most))


@click.command()
@click.argument("task_id", metavar="ID")
@click.option("--timeout", type=SECONDS, help="Seconds to wait. Default: as long as it takes.")
@click.pass_obj
def wait(session: Session, task_id: str, timeout: float | None) -> None:
    """Wait until the task ID has ended, and show it."""
    with session.client() as client:
        _ended(session, client.wait(task_id, timeout))


@click.command()
@click.argument("task_id", metavar="ID")
@click.pass_obj
def cancel(session: Session, task_id: str) -> None:
    """Cancel the task ID; one that runs is told to stop."""
    with session.client() as client:
        session.show(client.cancel(task_id))


@click.command()
@click.argument("task_id", metavar="ID")
@click.pass_obj
def retry(session: Session, task_id: str) -> None:
    """Queue the failed or cancelled task ID again."""
    with session.client() as client:
        session.show(client.retry(task_id))
