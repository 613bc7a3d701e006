"""The form of a schedule: what the API's body says, as fields, and back."""

from typing import Any

import orjson

from taskq_server.api.body import strict_json
from taskq_server.dashboard import forms
from taskq_server.dashboard.filters import readable_json
from taskq_server.domain.errors import FieldError, InvalidFields, Rejected
from taskq_server.domain.schedule import Schedule
from taskq_server.schemas.schedule import ScheduleWrite

_TEXTS = ("cron", "timezone", "overlap", "catch_up", "starts_at", "ends_at", "note")
_NUMBERS = ("every_seconds", "catch_up_seconds", "jitter_seconds")
_OWN = ("handler", "payload")

NEW = forms.Form([("timezone", "UTC"), ("overlap", "skip"), ("catch_up", "last")])
"""The fields of a schedule that is yet to be made."""


def filled(schedule: Schedule) -> forms.Form:
    """Return the form of a schedule as it stands."""
    task = orjson.loads(schedule.task)
    more = {name: value for name, value in task.items() if name not in _OWN}
    values = {
        **{name: getattr(schedule, name) for name in (*_TEXTS, *_NUMBERS)},
        "starts_at": schedule.starts_at and schedule.starts_at.isoformat(),
        "ends_at": schedule.ends_at and schedule.ends_at.isoformat(),
        "handler": schedule.handler,
        "payload": readable_json(task.get("payload", {})),
        "task": readable_json(more) if more else "",
        "version": schedule.version,
    }
    return forms.Form([(name, _text(value)) for name, value in values.items()])


def wanted(form: forms.Form) -> ScheduleWrite:
    """Return what a form says, as the API would take it.

    Raises:
        InvalidFields: the API would not take it; with pointers.
    """
    task = {
        **_object(form, "task"),
        **form.given("handler"),
        "payload": _object(form, "payload"),
    }
    members = {
        **form.given(*_TEXTS),
        **forms.with_numbers(form.given(*_NUMBERS)),
        "note": form.get("note"),
        "task": task,
    }
    return forms.parsed(ScheduleWrite, members)


def _object(form: forms.Form, name: str) -> dict[str, Any]:
    """Return the JSON object that is written in a field; an empty one where it is empty."""
    try:
        found = strict_json.parse((form.get(name) or "{}").encode())
    except Rejected as error:
        raise _invalid(name, str(error)) from None
    if not isinstance(found, dict):
        raise _invalid(name, "must be a JSON object, such as {}")
    return dict(found)


def _invalid(name: str, detail: str) -> InvalidFields:
    return InvalidFields(f"{name}: {detail}", [FieldError(f"/{name}", "invalid-json", detail)])


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)
