"""The commands that submit: `submit`, and `run`, which also waits."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, Unpack, get_args

import click

from taskq_client._limits import KEEP_SECONDS
from taskq_client._runs import result_of
from taskq_client._sync import TaskqClient
from taskq_client._sync_handles import TaskHandle
from taskq_client.cli.completion import handler_names, payload_fields, queue_names, tag_names
from taskq_client.cli.options import (
    OptionalValue,
    OptionalValueCommand,
    Seconds,
    Word,
    json_option,
    none_if_empty,
)
from taskq_client.cli.payload import FIELDS, fields, whole
from taskq_client.cli.session import Session
from taskq_client.cli.streams import say
from taskq_client.cli.suggestions import hinted
from taskq_client.cli.words import plain
from taskq_client.errors import ValidationFailed
from taskq_client.models import OnConflict, Priority, Task, TaskOptions, TaskStatus

OF_A_TASK = (
    click.argument("handler", shell_complete=handler_names),
    click.argument(
        "payload_fields",
        nargs=-1,
        metavar=FIELDS,
        callback=fields,
        shell_complete=payload_fields,
    ),
    click.option("--payload", callback=whole, help="A JSON object, @FILE, or - for stdin."),
    click.option("--title", help="What people read in lists."),
    click.option(
        "--priority", type=Word(Priority), help="Of two due tasks, the higher goes first."
    ),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        callback=none_if_empty,
        shell_complete=tag_names,
        help="A word; repeat for more.",
    ),
    click.option("--queue", shell_complete=queue_names, help="The lane of workers to use."),
    click.option("--max-retries", type=click.IntRange(min=0), help="Tries after the first one."),
    click.option("--timeout", "timeout_seconds", type=Seconds(), help="Seconds one try may run."),
    click.option(
        "--keep",
        "keep_seconds",
        type=Seconds(least=1, most=KEEP_SECONDS),
        help="Seconds for which it is kept after its end.",
    ),
    click.option("--unique-key", help="While a task with this key waits or runs, no other does."),
    click.option(
        "--on-conflict",
        type=Word(get_args(OnConflict)),
        help="What happens if a task has the unique key: it is returned, replaced while it waits, "
        "or the submit refused.  [default: return]",
    ),
)
"""What a submit and a schedule say about a task."""

_OPTIONS = (
    *OF_A_TASK,
    click.option("--delay", "delay_seconds", type=Seconds(), help="Seconds before it may start."),
    click.option("--idempotency-key", help="The same submit twice with one key is one task."),
    json_option,
)


Submit = Callable[[TaskqClient], TaskHandle]
"""Submits what the command line says."""


def _submitting(command: Callable[[Session, Submit, float | None], None]) -> Callable[..., None]:
    @click.pass_obj
    @wraps(command)
    def call(
        session: Session,
        handler: str,
        payload_fields: dict[str, Any],
        payload: dict[str, Any] | None,
        idempotency_key: str | None,
        wait: float | None,
        **options: Unpack[TaskOptions],
    ) -> None:
        merged = merged_payload(payload, payload_fields)

        def submit(client: TaskqClient) -> TaskHandle:
            client._core.tasks.on_unheard = _say_that_nobody_listens
            try:
                handle = client.submit(handler, merged, idempotency_key=idempotency_key, **options)
            except ValidationFailed as error:
                raise hinted(client, error, handler, merged or {}) from None
            if handle.conflict:
                _say_what_has_the_key(handle.task, options["on_conflict"])
            return handle

        command(session, submit, wait)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call


def merged_payload(
    payload: dict[str, Any] | None, payload_fields: dict[str, Any]
) -> dict[str, Any] | None:
    """Put the fields of a command line over its whole payload."""
    return {**(payload or {}), **payload_fields} if payload_fields else payload


def _say_that_nobody_listens(task: Task) -> None:
    say(f"no live worker listens to queue {plain(task.queue)}; the task waits until one does.")


def _say_what_has_the_key(task: Task, on_conflict: str | None) -> None:
    if on_conflict == "replace" and task.status in (TaskStatus.QUEUED, TaskStatus.RETRYING):
        has = "had the unique key and waited; its payload and start are replaced"
    else:
        has = f"has the unique key and is {plain(task.status)}"
    say(f"task {plain(task.id)} {has}, and no other was submitted.")


def _wait_option(
    without_value: float | None, help_: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--wait",
        cls=OptionalValue,
        without_value=without_value,
        type=Seconds(),
        metavar="[SECONDS]",
        help=help_,
        shell_complete=handler_names,
    )


@click.command(cls=OptionalValueCommand)
@_wait_option(math.inf, "Wait for its end; write a limit as --wait=60.")
@_submitting
def submit(session: Session, submit: Submit, wait: float | None) -> None:
    """Submit a task.

    One line on it is printed, in a pipe its id.

    The payload is made of FIELDS: key=text, key:=json, @FILE with a JSON object, or - for one on
    stdin.
    """
    with session.client() as client:
        handle = submit(client)
        if wait is None:
            session.show_submitted(handle.task)
            return
        task = handle.wait(None if wait == math.inf else wait)
    session.show(task)
    result_of(task)


@click.command(cls=OptionalValueCommand)
@_wait_option(None, "Seconds to wait, as --wait=60. Default: as long as it takes.")
@_submitting
def run(session: Session, submit: Submit, wait: float | None) -> None:
    """Submit a task and print its result.

    FIELDS as for submit. On a terminal its progress is shown meanwhile.
    """
    with session.client() as client:
        session.show_result(result_of(session.watch(submit(client), wait)))
