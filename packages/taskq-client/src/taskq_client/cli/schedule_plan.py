"""What has to change so that the schedules are those of a file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import click
from pydantic import ValidationError

from taskq_client import _requests
from taskq_client._sync_schedules import Schedules
from taskq_client.cli.schedule_files import Wanted
from taskq_client.schedules import Schedule

Action = Literal["created", "changed", "unchanged", "deleted"]
Changes = Mapping[str, tuple[object, object]]
"""By the name of a field, its value before and after; a field of the task begins with `task.`."""

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_COMPARED = {*_requests.OF_A_SCHEDULE, "task"}
_TIMES = ("cron", "every_seconds", "timezone", "starts_at", "ends_at")
_KEPT = ("paused", "note")
"""What a schedule keeps when it is set without them."""


@dataclass(frozen=True)
class Step:
    """What happens to one schedule.

    Attributes:
        action: What will have happened.
        name: The name of the schedule.
        changes: What differs, of one that is changed.
        given: What it is set to, the fields of its task beside its own.
        version: The version that it must still have.
    """

    action: Action
    name: str
    changes: Changes = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None

    @property
    def fields(self) -> dict[str, object]:
        """The step as JSON."""
        changes = {name: {"from": old, "to": new} for name, (old, new) in self.changes.items()}
        return {"action": self.action, "name": self.name, "changes": changes}


def plan_of(schedules: Schedules, wanted: Wanted, *, prune: bool) -> list[Step]:
    """Compare the schedules of a server with those that are wanted; the order is that of names.

    Args:
        schedules: Those of the server.
        wanted: Those of the file.
        prune: Whether the others are deleted, unless they are declared in code.

    Raises:
        click.UsageError: A value has the wrong type.
        InvalidRequest: A field is unknown, or a value cannot be sent.
    """
    found = {each.name: each for each in schedules.list() if not each.declared}
    steps = [_step(name, given, found.get(name)) for name, given in wanted.items()]
    if prune:
        steps += [Step("deleted", name) for name in found if name not in wanted]
    return sorted(steps, key=lambda step: step.name)


def check_times(schedules: Schedules, step: Step) -> None:
    """Ask the server whether a schedule can have the times of a step; nothing is stored.

    Raises:
        TaskqError: It cannot, or the server failed or could not be reached.
    """
    if step.action in ("created", "changed"):
        times: Any = {name: step.given[name] for name in _TIMES if name in step.given}
        schedules.preview(**times, count=1)


def apply_step(schedules: Schedules, step: Step) -> None:
    """Make the change of one step.

    Raises:
        TaskqError: The server refused, failed or could not be reached.
    """
    match step.action:
        case "created" | "changed":
            given: Any = dict(step.given)
            name, payload = given.pop("handler"), given.pop("payload", None)
            schedules.set(step.name, name, payload, if_match=step.version, **given)
        case "deleted":
            schedules.delete(step.name)
        case "unchanged":
            pass


def _step(name: str, given: dict[str, Any], found: Schedule | None) -> Step:
    if found is None:
        _as_stored(name, given)  # which raises if a value has the wrong type
        return Step("created", name, given=given)
    unsaid = {key: getattr(found, key) for key in _KEPT if given.get(key) is None}
    wanted = _as_stored(name, {**given, **unsaid})
    changes = dict(_differences(_flat(found), _flat(wanted)))
    return Step("changed" if changes else "unchanged", name, changes, given, found.version)


def _as_stored(name: str, given: Mapping[str, Any]) -> Schedule:
    """Read what is wanted as the server would return it."""
    sent = {key: value for key, value in given.items() if value is not None}
    fields = json.loads(_requests.schedule_body(sent))
    unsaid = {"name": name, "version": 0, "created_at": _ANY_TIME, "updated_at": _ANY_TIME}
    try:
        return Schedule.model_validate({**fields, **unsaid})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise click.UsageError(f"{name}: {where}: {first['msg']}") from None


def _flat(schedule: Schedule) -> dict[str, object]:
    fields = schedule.model_dump(mode="json", include=_COMPARED)
    task: dict[str, Any] = fields.pop("task")
    if task["tags"] is not None:
        task["tags"] = sorted(set(task["tags"]))
    return {**fields, **{f"task.{name}": value for name, value in task.items()}}


def _differences(
    old: Mapping[str, object], new: Mapping[str, object]
) -> Iterator[tuple[str, tuple[object, object]]]:
    for name, value in new.items():
        before = old.get(name)
        if value != before and not (value in (None, {}) and before in (None, {})):
            yield name, (before, value)
