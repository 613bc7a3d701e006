"""The commands on schedules."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from taskq_client.cli import schedule_files
from taskq_client.cli.completion import schedule_names
from taskq_client.cli.groups import SuggestingGroup
from taskq_client.cli.options import Seconds, Word, json_option, moment
from taskq_client.cli.payload import file_or_stdin
from taskq_client.cli.questions import ask
from taskq_client.cli.schedule_plan import Step, apply_step, check_times, plan_of
from taskq_client.cli.session import Session, clock
from taskq_client.cli.streams import say
from taskq_client.cli.submits import OF_A_TASK, merged_payload
from taskq_client.cli.suggestions import hinted
from taskq_client.errors import TaskqError, ValidationFailed
from taskq_client.schedules import CatchUp, Overlap, Schedule

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

A_YEAR = 366 * 86_400
COLUMNS = (
    *("name", "handler", "cron", "every_seconds", "timezone", "paused_at", "next_fire_at"),
    *("last_fire_at", "fired", "skipped", "missed"),
)

_name = click.argument("name", shell_complete=schedule_names)
_TIMES = (
    click.option("--cron", help="Five fields, as '0 6 * * *', or @hourly, @daily and the like."),
    click.option(
        "--every",
        "every_seconds",
        type=Seconds(least=1, most=A_YEAR),
        help="Seconds from one time to the next.",
    ),
    click.option("--timezone", metavar="ZONE", help="Of cron, as Europe/Berlin. Default: UTC."),
    click.option("--starts-at", callback=moment, help="No earlier than this time."),
    click.option("--ends-at", callback=moment, help="No later than this time."),
)
_WHEN_MISSED = (
    click.option(
        "--overlap", type=Word(Overlap), help="When the last task has not ended. Default: skip."
    ),
    click.option("--catch-up", type=Word(CatchUp), help="Of missed times. Default: last."),
    click.option(
        "--catch-up-seconds",
        type=Seconds(),
        help="For how long a missed time counts. Default: a day.",
    ),
    click.option(
        "--jitter", "jitter_seconds", type=Seconds(), help="Spread the times by up to this."
    ),
    click.option("--paused/--not-paused", default=None, help="Whether it fires at no time."),
    click.option("--note", help="Why, for people."),
)


def _with(*options: Callable[[FunctionT], FunctionT]) -> Callable[[FunctionT], FunctionT]:
    def decorate(function: FunctionT) -> FunctionT:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.group(cls=SuggestingGroup)
def schedules() -> None:
    """Submit tasks at times: by cron in a time zone, or every so many seconds."""


@schedules.command("list")
@click.option("--handler", help="Only those of this handler.")
@click.option("--paused/--not-paused", default=None, help="Only those that are, or are not.")
@json_option
@click.pass_obj
def list_(session: Session, handler: str | None, paused: bool | None) -> None:
    """List the schedules, by name.

    In a pipe a line for each, with tabs between: name, handler, cron, every_seconds, timezone,
    paused_at, next_fire_at, last_fire_at, fired, skipped and missed.
    """
    with session.client() as client:
        found = list(client.schedules.list(handler=handler, paused=paused))
    if session.for_people:
        from taskq_client.cli.schedule_view import schedule_lines

        session.show_lines(lambda width: schedule_lines(found, width, clock()))
        return
    session.show_rows(map(_row, found), [_fields(each) for each in found])


@schedules.command()
@_name
@json_option
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a schedule.

    In a pipe a line for each field: name, tab, value.
    """
    with session.client() as client:
        found = client.schedules.get(name)
    if session.for_people:
        from taskq_client.cli.schedule_view import schedule_view

        session.show_lines(lambda width: schedule_view(found, width, clock()))
        return
    fields = _fields(found)
    session.show_rows(fields.items(), fields)


@schedules.command("set")
@_name
@_with(*_TIMES, *_WHEN_MISSED, *OF_A_TASK, json_option)
@click.pass_obj
def set_(
    session: Session,
    /,
    name: str,
    handler: str,
    payload: dict[str, Any] | None,
    payload_fields: dict[str, Any],
    **options: Any,
) -> None:
    """Make a schedule, or replace the one of this name.

    Name its times with --cron or --every. What is left out is the default, also of one that is
    replaced. FIELDS as for submit. In a pipe a line as `taskq schedules list` shows it.
    """
    merged = merged_payload(payload, payload_fields)
    with session.client() as client:
        try:
            made = client.schedules.set(name, handler, merged, **options)
        except ValidationFailed as error:
            raise hinted(client, error, handler, merged or {}) from None
    _show(session, made, "is set")


@schedules.command()
@_name
@click.option("--note", help="Why, for people. Default: the note that it has.")
@json_option
@click.pass_obj
def pause(session: Session, name: str, note: str | None) -> None:
    """Let a schedule fire at none of its times from now on.

    In a pipe a line as `taskq schedules list` shows it.
    """
    with session.client() as client:
        _show(session, client.schedules.pause(name, note=note), "is paused")


@schedules.command()
@_name
@json_option
@click.pass_obj
def resume(session: Session, name: str) -> None:
    """Let a paused schedule go on with its next time.

    In a pipe a line as `taskq schedules list` shows it.
    """
    with session.client() as client:
        _show(session, client.schedules.resume(name), "goes on")


@schedules.command()
@_name
@json_option
@click.pass_obj
def fire(session: Session, name: str) -> None:
    """Submit the task of a schedule now; its next time stays.

    One line on the task is printed, in a pipe its id.
    """
    with session.client() as client:
        session.show_submitted(client.schedules.fire(name).task)


@schedules.command()
@_name
@json_option
@click.pass_obj
def delete(session: Session, name: str) -> None:
    """Delete a schedule; its tasks stay.

    In a pipe, nothing is printed.
    """
    with session.client() as client:
        client.schedules.delete(name)
    if session.as_json:
        click.echo(json.dumps({"name": name}))
    elif session.terminal:
        session.show_sentence(f"Schedule {name} is deleted.")


@schedules.command()
@_with(*_TIMES)
@click.option("--count", type=click.IntRange(min=1), help="How many times. Default: 10.")
@json_option
@click.pass_obj
def preview(session: Session, /, timezone: str | None, **given: Any) -> None:
    """Show at which times a schedule would fire.

    In a pipe a line for each time, in UTC.
    """
    with session.client() as client:
        found = client.schedules.preview(timezone=timezone, **given)
    if session.for_people:
        from taskq_client.cli.schedule_view import preview_lines

        session.show_lines(lambda width: preview_lines(found, timezone, width, clock()))
        return
    fields = found.model_dump(mode="json")
    session.show_rows([[each] for each in fields["times"]], fields)


@schedules.command()
@click.argument("file", metavar="FILE", callback=file_or_stdin)
@click.option("--prune", is_flag=True, help="Delete those that FILE does not name.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def apply(session: Session, file: tuple[str, bytes], prune: bool, dry_run: bool, yes: bool) -> None:
    """Make the schedules be those of FILE, YAML or JSON, or of stdin for -.

    What would change is shown first, and you are asked. FILE has under `schedules`, by name, what
    PUT /schedules/NAME takes. One that is paused stays so, unless FILE says `paused`. Those that
    are declared in code are left alone. In a pipe a line for each, with tabs between: created,
    changed, unchanged or deleted, its name, and the fields that change.
    """
    wanted = schedule_files.read(*file)
    with session.client() as client:
        steps = plan_of(client.schedules, wanted, prune=prune)
        _show_plan(session, steps)
        changes = [step for step in steps if step.action != "unchanged"]
        for step in changes:
            try:
                check_times(client.schedules, step)
            except TaskqError:
                say(f"{step.name}: cannot be; nothing is changed.")
                raise
        if dry_run or not changes:
            return
        if not yes:
            ask(f"Apply {len(changes)} change{'' if len(changes) == 1 else 's'}?")
        for number, step in enumerate(changes):
            try:
                apply_step(client.schedules, step)
            except TaskqError:
                say(f"{step.name}: refused; {number} of {len(changes)} changes are made.")
                raise


def _show_plan(session: Session, steps: list[Step]) -> None:
    if session.for_people:
        from taskq_client.cli.schedule_view import plan_lines

        session.show_lines(lambda width: plan_lines(steps, width))
        return
    rows = [(step.action, step.name, ", ".join(step.changes)) for step in steps]
    session.show_rows(rows, [step.fields for step in steps])


def _show(session: Session, schedule: Schedule, what: str) -> None:
    if session.for_people:
        from taskq_client.cli.schedule_view import sentence

        session.show_sentence(sentence(schedule, what, clock()))
        return
    session.show_rows([_row(schedule)], _fields(schedule))


def _row(schedule: Schedule) -> list[object]:
    fields: dict[str, Any] = schedule.model_dump(mode="json")
    return [{**fields, "handler": schedule.task.handler}[name] for name in COLUMNS]


def _fields(schedule: Schedule) -> dict[str, Any]:
    return schedule.model_dump(mode="json", exclude_unset=True)
