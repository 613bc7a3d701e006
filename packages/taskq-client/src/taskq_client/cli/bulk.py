"""The commands on all tasks that filters find."""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

import click

from taskq_client._sync import TaskqClient
from taskq_client._sync_operations import Bulk
from taskq_client.bulk import (
    BulkAction,
    BulkChanges,
    BulkCount,
    BulkOperation,
    BulkState,
)
from taskq_client.cli.filters import task_filters
from taskq_client.cli.ids import LENGTH, read_id
from taskq_client.cli.options import Seconds, Word, json_option, moment
from taskq_client.cli.problems import AmbiguousId, NoSuchOperation, NoTaskId
from taskq_client.cli.questions import ask
from taskq_client.cli.session import Session, clock, operation_fields
from taskq_client.models import Priority

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

USUAL_LIMIT, MOST_TASKS = 100_000, 1_000_000
LOOKED_AT = 1_000
COLUMNS = ("id", "action", "state", "matched", "done", "skipped", "failed", "created_at")


def _operation(function: FunctionT) -> FunctionT:
    """Add what all commands take that begin an operation."""
    options = (
        task_filters,
        click.option(
            "--limit",
            type=click.IntRange(min=1, max=MOST_TASKS),
            default=USUAL_LIMIT,
            show_default=True,
            help="Tasks at most.",
        ),
        click.option("--dry-run", is_flag=True, help="Count the tasks, and do nothing."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--no-wait", is_flag=True, help="Return while the server goes on."),
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group()
def bulk() -> None:
    """Retry, cancel, delete or update all tasks that filters find.

    The filters are those of `taskq list`, at least one. The number of tasks is shown first, and
    you are asked. The server goes on by itself, also after Ctrl-C; `taskq bulk stop` stops it.
    """


@bulk.command("retry")
@_operation
@click.pass_obj
def retry(session: Session, /, **given: Any) -> None:
    """Queue failed and cancelled tasks again, with all their retries.

    In a pipe a line for each field of the operation: name, tab, value.
    """
    _run(session, "retry", given)


@bulk.command("cancel")
@_operation
@click.pass_obj
def cancel(session: Session, /, **given: Any) -> None:
    """Cancel tasks that wait, and tell those that run to stop."""
    _run(session, "cancel", given)


@bulk.command("delete")
@_operation
@click.pass_obj
def delete(session: Session, /, **given: Any) -> None:
    """Delete tasks that do not run."""
    _run(session, "delete", given)


@bulk.command("update")
@click.option("--set-priority", type=Word(Priority), help="The new priority.")
@click.option("--set-max-retries", type=click.IntRange(min=0), help="Retries after the first try.")
@click.option("--set-timeout", type=Seconds(min_open=True), help="Seconds one try may run.")
@click.option("--set-run-at", callback=moment, help="The earliest start, a time.")
@click.option("--run-now", is_flag=True, help="Let the tasks be due now.")
@_operation
@click.pass_obj
def update(
    session: Session,
    /,
    set_priority: Any,
    set_max_retries: int | None,
    set_timeout: float | None,
    set_run_at: Any,
    run_now: bool,
    **given: Any,
) -> None:
    """Change tasks that have not ended."""
    wanted = {
        "priority": set_priority,
        "max_retries": set_max_retries,
        "timeout_seconds": set_timeout,
        "run_at": set_run_at,
    }
    changes: Any = {name: value for name, value in wanted.items() if value is not None}
    if run_now:
        if set_run_at is not None:
            raise click.UsageError("--run-now and --set-run-at exclude each other")
        changes["run_at"] = None
    if not changes:
        raise click.UsageError("name a change, such as --set-priority high")
    _run(session, "update", given, changes)


@bulk.command("list")
@click.option("--state", multiple=True, type=Word(BulkState), help="Repeat for any of several.")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=MOST_TASKS),
    default=20,
    show_default=True,
    help="Operations in all.",
)
@json_option
@click.pass_obj
def list_(session: Session, state: tuple[str, ...], limit: int) -> None:
    """List bulk operations, the newest first.

    In a pipe a line for each, with tabs between: id, action, state, matched, done, skipped, failed
    and created_at.
    """
    with session.client() as client:
        found = [each.operation for each in islice(client.bulk_operations(state), limit)]
    if session.for_people:
        from taskq_client.cli.bulk_view import operation_lines

        session.show_lines(lambda width: operation_lines(found, width, clock()))
        return
    fields = [operation_fields(each) for each in found]
    session.show_rows([[each.get(name) for name in COLUMNS] for each in fields], fields)


def _read_id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return read_id(context, parameter, value)
    except NoTaskId:
        raise click.BadParameter(f"{value!r} is not the id of a bulk operation") from None


def _with_id(function: FunctionT) -> FunctionT:
    with_json = json_option(function)
    return click.argument("operation_id", metavar="ID", callback=_read_id)(with_json)


@bulk.command("show")
@_with_id
@click.pass_obj
def show(session: Session, operation_id: str) -> None:
    """Show a bulk operation.

    In a pipe a line for each field: name, tab, value.
    """
    with session.client() as client:
        session.show_operation(client.bulk_operation(_whole_id(client, operation_id)).operation)


@bulk.command("wait")
@_with_id
@click.option("--timeout", type=Seconds(), help="Seconds to wait. Default: as long as it takes.")
@click.pass_obj
def wait(session: Session, operation_id: str, timeout: float | None) -> None:
    """Wait for the end of a bulk operation."""
    with session.client() as client:
        found = client.bulk_operation(_whole_id(client, operation_id))
        session.show_operation(session.watch_operation(found, None, timeout))


@bulk.command("stop")
@_with_id
@click.pass_obj
def stop(session: Session, operation_id: str) -> None:
    """Stop a bulk operation; what it has done stays done."""
    with session.client() as client:
        session.show_operation(client.bulk_operation(_whole_id(client, operation_id)).stop())


def _run(
    session: Session,
    action: BulkAction,
    given: dict[str, Any],
    changes: BulkChanges | None = None,
) -> None:
    own = {name: given.pop(name) for name in ("limit", "dry_run", "yes", "no_wait")}
    filters: Any = {name: value for name, value in given.items() if value not in (None, ())}
    if not filters:
        raise click.UsageError("name at least one filter, such as --status failed")
    with session.client() as client:
        count = None
        if own["dry_run"] or not own["yes"]:
            count = client.bulk(action, dry_run=True, changes=changes, **filters)
        if own["dry_run"] or (count is not None and not count.count):
            _show_count(session, action, count or BulkCount(count=0), own["limit"])
            return
        if count is not None:
            _ask(action, count, own["limit"])
        begun = client.bulk(action, changes=changes, limit=own["limit"], **filters)
        session.show_operation(_followed(session, begun, count, wait=not own["no_wait"]))


def _followed(
    session: Session, begun: Bulk, count: BulkCount | None, *, wait: bool
) -> BulkOperation:
    if not wait:
        return begun.operation
    total = count.count if count is not None and count.exact else None
    return session.watch_operation(begun, total, None)


def _show_count(session: Session, action: str, count: BulkCount, limit: int) -> None:
    if session.for_people:
        from taskq_client.cli.bulk_view import question

        session.show_sentence(question(action, count, limit).removesuffix("?"))
        return
    fields = count.model_dump(mode="json")
    if session.as_json:
        click.echo(json.dumps(fields))
    else:
        session.show_rows([("count", count.count), ("exact", count.exact)], fields)


def _ask(action: str, count: BulkCount, limit: int) -> None:
    from taskq_client.cli.bulk_view import question

    ask(question(action, count, limit).capitalize())


def _whole_id(client: TaskqClient, given: str) -> str:
    if len(given) == LENGTH:
        return given
    newest = islice(client.bulk_operations(), LOOKED_AT)
    found = [each.id for each in newest if each.id.startswith(given)]
    if len(found) > 1:
        raise AmbiguousId(f"{given!r} begins the ids of {', '.join(found[:4])}")
    if not found:
        raise NoSuchOperation(f"no bulk operation has an id that begins with {given!r}")
    return found[0]
