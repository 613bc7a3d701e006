"""The operations of the fake on schedules: from a request to an answer."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import httpx

from taskq_client.testing import _cron, _listing, _schemas
from taskq_client.testing._call import Call, answer
from taskq_client.testing._headers import EntityTags, entity_tag, entity_tags
from taskq_client.testing._json import canonical
from taskq_client.testing._keys import AUTHORIZATION, NAMESPACE, RUN
from taskq_client.testing._problems import Problem, field, pointer
from taskq_client.testing._schedules import FakeSchedule, Fields, checked
from taskq_client.testing._task import wire

DECLARED = "code:"
_BOUND_BYTES = 6
_WRITTEN = (
    *("cron", "every_seconds", "timezone", "task", "overlap", "catch_up", "catch_up_seconds"),
    *("jitter_seconds", "starts_at", "ends_at", "paused", "note"),
)


def put(call: Call) -> httpx.Response:
    """`PUT /schedules/{name}`."""
    store, name = call.store, call.task_id
    if name.startswith(DECLARED):
        detail = f"a name that begins with {DECLARED} is for what code declares"
        raise Problem("declared-in-code", detail)
    wanted = checked(store, call.caller, call.body)
    with store.lock:
        found = store.schedules.get(name)
        _check_expected(call, found)
        avoided = entity_tags(call.request, "If-None-Match")
        if avoided is not None and found is not None and _is_known(found, avoided):
            raise _mismatch(found)
        if found is None:
            made = store.schedules[name] = FakeSchedule(store, name, wanted, call.caller)
            headers = {"location": f"/schedules/{name}", **_tag(made)}
            return answer(made.fields, 201, headers)
        found.replace(wanted, call.caller, has_note="note" in call.document)
    return answer(found.fields, headers=_tag(found))


def patch(call: Call) -> httpx.Response:
    """`PATCH /schedules/{name}`."""
    call.caller.check_may(RUN)
    found = _found(call)
    _check_expected(call, found)
    now = {name: found.fields[name] for name in _WRITTEN}
    now["task"] = {name: one for name, one in now["task"].items() if one is not None}
    merged, faults = _schemas.read_body("ScheduleWrite", {"note": None, **_merged(now, call.body)})
    if faults:
        errors = [field(pointer(one["loc"][1:]), "invalid-value", one["msg"]) for one in faults]
        detail = f"{errors[0]['pointer']}: {errors[0]['detail']}"
        raise Problem("invalid-request", detail, errors)
    wanted = checked(call.store, call.caller, merged)
    with call.store.lock:
        found.replace(wanted, call.caller, has_note=True)
    return _as_seen(call, found)


def list_schedules(call: Call) -> httpx.Response:
    """`GET /schedules`."""
    query = call.query
    bound = [NAMESPACE, query["handler"], query["paused"]]
    after = "" if query["cursor"] is None else _read_cursor(query["cursor"], bound)
    left = [
        one.fields
        for name, one in sorted(call.store.schedules.items())
        if name > after
        and query["handler"] in (None, one.fields["task"]["handler"])
        and query["paused"] in (None, one.fields["paused"])
    ]
    items = left[: query["limit"]]
    cursor = None if len(items) == len(left) else _write_cursor(items[-1]["name"], bound)
    headers = {} if cursor is None else {"link": _listing.link(call.given, cursor, "/schedules")}
    return answer({"items": items, "next_cursor": cursor}, headers=headers)


def get(call: Call) -> httpx.Response:
    """`GET /schedules/{name}`."""
    seen, found = entity_tags(call.request, "If-None-Match"), _found(call)
    if seen is not None and _is_known(found, seen):
        return httpx.Response(304, headers=_tag(found))
    return _as_seen(call, found)


def delete(call: Call) -> httpx.Response:
    """`DELETE /schedules/{name}`."""
    found = _found(call)
    with call.store.lock:
        found.due = None
        del call.store.schedules[call.task_id]
    return httpx.Response(204)


def pause(call: Call) -> httpx.Response:
    """`POST /schedules/{name}/pause`."""
    found = _found(call)
    with call.store.lock:
        found.pause(call.body.get("note"))
    return _as_seen(call, found)


def resume(call: Call) -> httpx.Response:
    """`POST /schedules/{name}/resume`."""
    found = _found(call)
    with call.store.lock:
        found.resume()
    return _as_seen(call, found)


def fire(call: Call) -> httpx.Response:
    """`POST /schedules/{name}/fire`."""
    call.caller.check_may(RUN)
    found = _found(call)
    call.caller.check_may_run({AUTHORIZATION: found.fields["task"]["handler"]})
    with call.store.lock:
        fields = call.shown(found.fire())
    headers = {"location": f"/tasks/{fields['id']}", **entity_tag(fields["version"])}
    return answer(fields, 201, headers)


def preview(call: Call) -> httpx.Response:
    """`GET /schedules/preview`."""
    given = {
        name: wire(value) if isinstance(value, datetime) else value
        for name, value in call.query.items()
    }
    _cron.require(given, "/query")
    now = call.store.now
    fields = {**given, "created_at": wire(now)}
    times: list[str] = []
    most: int = call.query["count"]
    at: datetime | None = now
    while at is not None and len(times) < most:
        at = _cron.next_after(fields, at)
        times += [] if at is None else [wire(at)]
    return answer({"times": times, "text": _cron.text(fields)})


def _found(call: Call) -> FakeSchedule:
    found = call.store.schedules.get(call.task_id)
    if found is None:
        raise Problem("schedule-not-found", f"there is no schedule {call.task_id}")
    return found


def _check_expected(call: Call, found: FakeSchedule | None) -> None:
    """Raise unless the caller means this version, whatever times have passed."""
    expected = entity_tags(call.request, "If-Match")
    if expected is None:
        return
    if found is None:
        raise _mismatch(None)
    version = str(found.fields["version"])
    if not expected.any and all(one.partition("-")[0] != version for one in expected.strong):
        raise _mismatch(found)


def _mismatch(found: FakeSchedule | None) -> Problem:
    if found is None:
        return Problem("version-mismatch", "there is no such schedule")
    return Problem("version-mismatch", f"the schedule is at version {found.fields['version']}")


def _is_known(schedule: FakeSchedule, tags: EntityTags) -> bool:
    return tags.any or schedule.state in tags.strong | tags.weak


def _as_seen(call: Call, schedule: FakeSchedule) -> httpx.Response:
    """Return a schedule, without the contents of its task if the caller does not see them."""
    fields = schedule.fields
    if not call.caller.sees(fields["key_id"]):
        fields = {**fields, "task": {**fields["task"], "payload": {}}, "last_error": None}
    return answer(fields, headers=_tag(schedule))


def _tag(schedule: FakeSchedule) -> dict[str, str]:
    return {"etag": f'"{schedule.state}"'}


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Fields:
    """Apply a merge patch (RFC 7396)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = wire(value) if isinstance(value, datetime) else value
    return merged


def _write_cursor(after: str, wanted: list[Any]) -> str:
    bound = sha256(canonical(wanted).encode()).digest()[:_BOUND_BYTES]
    return urlsafe_b64encode(bound + after.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, wanted: list[Any]) -> str:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        after = raw[_BOUND_BYTES:].decode("ascii")
    except (UnicodeError, NotBase64):
        raise Problem("invalid-cursor", "the cursor cannot be read") from None
    if _write_cursor(after, wanted) != cursor:
        raise Problem("invalid-cursor", "the cursor was made for another list of schedules")
    return after


OPERATIONS: Mapping[str, Callable[[Call], httpx.Response]] = {
    "set_schedule": put,
    "update_schedule": patch,
    "list_schedules": list_schedules,
    "get_schedule": get,
    "delete_schedule": delete,
    "pause_schedule": pause,
    "resume_schedule": resume,
    "fire_schedule": fire,
    "preview_schedule": preview,
}
"""What serves each operation of the document that is about schedules."""
