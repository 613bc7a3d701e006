"""The commands that submit: `submit`, and `run`, which also waits."""

import math
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

import click

from taskq_client._core import result_of
from taskq_client.cli.completion import handler_names
from taskq_client.cli.options import SECONDS, json_option, none_if_empty
from taskq_client.cli.payload import FIELDS, fields, whole
from taskq_client.cli.session import Session
from taskq_client.models import Priority, TaskOptions

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])

_OPTIONS = (
    click.argument("handler", shell_complete=handler_names),
    click.argument("payload_fields", nargs=-1, metavar=FIELDS, callback=fields),
    click.option("--payload", callback=whole, help="A JSON object, @FILE, or - for stdin."),
    click.option("--title", help="What people read in lists."),
    click.option("--priority", type=click.Choice([str(priority) for priority in Priority])),
    click.option(
        "--tag", "tags", multiple=True, callback=none_if_empty, help="A word; repeat for more."
    ),
    click.option("--queue", help="The lane of workers to use."),
    click.option("--max-retries", type=click.IntRange(min=0), help="Tries after the first one."),
    click.option("--timeout", "timeout_seconds", type=SECONDS, help="Seconds one try may run."),
    click.option("--delay", "delay_seconds", type=SECONDS, help="Seconds before it may start."),
    click.option("--idempotency-key", help="The same submit twice with one key is one task."),
    json_option,
)


def _submitting(function: FunctionT) -> FunctionT:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command()
@_submitting
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
    payload_fields: dict[str, Any],
    payload: dict[str, Any] | None,
    idempotency_key: str | None,
    wait: float | None,
    **options: Unpack[TaskOptions],
) -> None:
    """Submit a task for HANDLER; in a pipe, print its id.

    The payload is made of FIELDS: key=text, key:=json, @FILE with a JSON object, or - for one on
    stdin.
    """
    merged = _merged(payload, payload_fields)
    with session.client() as client:
        handle = client.submit(handler, merged, idempotency_key=idempotency_key, **options)
        if wait is None:
            session.show_submitted(handle.task)
            return
        task = handle.wait(wait)
        session.show(task)
        result_of(task)


@click.command()
@_submitting
@click.option("--wait", type=SECONDS, help="Seconds to wait. Default: as long as it takes.")
@click.pass_obj
def run(
    session: Session,
    handler: str,
    payload_fields: dict[str, Any],
    payload: dict[str, Any] | None,
    idempotency_key: str | None,
    wait: float | None,
    **options: Unpack[TaskOptions],
) -> None:
    """Submit a task for HANDLER, wait for it, and print its result as JSON.

    FIELDS as for submit. On a terminal its progress is shown meanwhile.
    """
    merged = _merged(payload, payload_fields)
    with session.client() as client:
        handle = client.submit(handler, merged, idempotency_key=idempotency_key, **options)
        session.show_result(result_of(session.watch(handle, wait)))


def _merged(payload: dict[str, Any] | None, parts: dict[str, Any]) -> dict[str, Any] | None:
    return payload if not parts else {**(payload or {}), **parts}
