"""From arguments to requests, so that a wrong value is found before anything is sent."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from taskq_client._inputs import count, seconds, shown, text
from taskq_client._json_problems import json_problem
from taskq_client._limits import BATCH_ITEMS, KEY_LENGTH
from taskq_client._options import BulkChanges, ScheduleChanges, TaskFilters
from taskq_client.errors import InvalidRequest
from taskq_client.models import ListFilters, NewTask, TaskChanges, TaskLike

BATCH_BYTES = 8 * 1024 * 1024
SEVERAL = ("status", "priority", "tag", "handler", "queue")
TIMES = (
    *("run_at", "starts_at", "ends_at"),
    *("created_after", "created_before", "finished_after", "finished_before"),
)
OF_A_SCHEDULE = frozenset(
    {
        *("cron", "every_seconds", "timezone", "overlap", "catch_up", "catch_up_seconds"),
        *("jitter_seconds", "starts_at", "ends_at", "paused", "note"),
    }
)
"""The fields of a schedule itself; the others are those of its task."""

LONGEST_KEY_OF_MANY = 240
BATCH_START, BATCH_END = b'{"items":[', b"]}"

_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_SCHEDULE = re.compile(r"code:.+|(?!(?:\.|\.\.|preview)$)[^/]+")
_PRINTABLE_ASCII = re.compile(r"(?! )[ -~]+(?<! )")  # h11 sends no space at the ends


def task_id(task: TaskLike) -> str:
    """Take the id of a task, in the form that the server writes."""
    given = text("the id of a task", getattr(task, "id", task))
    if not _TASK_ID.fullmatch(given):
        raise InvalidRequest(f"{given!r} is not the id of a task")
    return given.lower()


def task_path(task: TaskLike, action: str = "") -> str:
    """Name a task, or one of its actions, as a path."""
    return f"/tasks/{task_id(task)}{action}"


def new_task(item: NewTask | Mapping[str, object]) -> bytes:
    """Encode one task to submit, without the values that are None."""
    if not isinstance(item, Mapping):
        raise InvalidRequest(f"a task to submit is a mapping, not {type(item).__name__}")
    fields = _fields(item, NewTask.__required_keys__ | NewTask.__optional_keys__)
    if not isinstance(fields.get("handler"), str):
        raise InvalidRequest("a task needs the name of its handler, as text")
    return encode({name: value for name, value in fields.items() if value is not None})


def batches(
    items: Iterable[NewTask | Mapping[str, object]], most: int = BATCH_ITEMS
) -> Iterator[bytes]:
    """Encode tasks as bodies of `POST /tasks/batch`, each within the limits of the server.

    A batch takes one item more from `items` than it holds, because that one shows that it is full.
    """
    batch: list[bytes] = []
    size = len(BATCH_START + BATCH_END)
    for index, item in enumerate(items):
        try:
            encoded = new_task(item)
        except InvalidRequest as error:
            raise InvalidRequest(f"item {index}: {error}") from None
        if batch and (len(batch) == most or size + len(encoded) + 1 >= BATCH_BYTES):
            yield _batch(batch)
            batch, size = [], len(BATCH_START + BATCH_END)
        batch.append(encoded)
        size += len(encoded) + 1
    if batch:
        yield _batch(batch)


def changes_patch(changes: TaskChanges) -> bytes:
    """Encode an update as a JSON merge patch; None becomes null."""
    return encode(_fields(changes, TaskChanges.__optional_keys__))


def list_query(filters: ListFilters) -> str:
    """Encode the filters of a list."""
    fields = _fields(filters, ListFilters.__optional_keys__)
    pairs = [
        (name, text(name, value))
        for name, given in fields.items()
        if given is not None
        for value in (_texts(name, given) if name in SEVERAL else [given])
    ]
    return query(pairs)


def bulk_body(
    action: str,
    filters: TaskFilters,
    *,
    changes: BulkChanges | None = None,
    limit: int | None = None,
    dry_run: bool = False,
) -> bytes:
    """Encode a bulk operation, without the values that are None."""
    fields = _fields(filters, TaskFilters.__optional_keys__)
    given = {
        name: _texts(name, value) if name in SEVERAL else value
        for name, value in fields.items()
        if value is not None
    }
    if not given:
        raise InvalidRequest("a bulk operation needs at least one filter, such as status")
    body: dict[str, object] = {"action": text("action", action), "filter": given}
    if changes is not None:
        body["changes"] = _fields(changes, BulkChanges.__optional_keys__)
    if limit is not None:
        body["limit"] = count("limit", limit)
    return encode({**body, "dry_run": True} if dry_run else body)


def operation_path(operation: object, action: str = "") -> str:
    """Name a bulk operation, or one of its actions, as a path."""
    given = text("the id of a bulk operation", getattr(operation, "id", operation))
    if not _TASK_ID.fullmatch(given):
        raise InvalidRequest(f"{given!r} is not the id of a bulk operation")
    return f"/bulk/{given.lower()}{action}"


def schedule_body(given: ScheduleChanges | Mapping[str, object]) -> bytes:
    """Encode a schedule or its changes, with the fields of its task in `task`; None is null."""
    fields = _fields(given, ScheduleChanges.__optional_keys__)
    own = {name: value for name, value in fields.items() if name in OF_A_SCHEDULE}
    task = {name: value for name, value in fields.items() if name not in OF_A_SCHEDULE}
    return encode({**own, "task": task} if task else own)


def schedule_path(name: object, action: str = "") -> str:
    """Name a schedule, or one of its actions, as a path."""
    given = text("the name of a schedule", getattr(name, "name", name))
    if not _SCHEDULE.fullmatch(given):
        raise InvalidRequest(f"{given!r} is not the name of a schedule")
    # A slash is written as any other letter, because a path with `..` would lead elsewhere.
    return f"/schedules/{quote(given, safe=':')}{action}"


def preview_query(given: Mapping[str, object]) -> str:
    """Encode what a schedule would be, without the values that are None."""
    wired = {name: _wire(name, value) for name, value in given.items() if value is not None}
    return query((name, text(name, _number_as_text(value))) for name, value in wired.items())


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode the query of a path."""
    try:
        return urlencode(list(pairs))
    except UnicodeEncodeError:
        raise InvalidRequest("a filter holds text that is not valid Unicode") from None


def list_path(query: str, cursor: str | None) -> str:
    """Name one page of a list."""
    parts = [part for part in (query, urlencode({"cursor": cursor}) if cursor else "") if part]
    return f"/tasks?{'&'.join(parts)}" if parts else "/tasks"


def idempotency_header(key: str) -> dict[str, str]:
    """Check an idempotency key and name it as a header."""
    return {"Idempotency-Key": _key(key, KEY_LENGTH)}


def key_of_many(key: str) -> str:
    """Check an idempotency key from which batches derive theirs."""
    return _key(key, LONGEST_KEY_OF_MANY)


def _key(key: str, longest: int) -> str:
    given = text("idempotency_key", key)
    if not _PRINTABLE_ASCII.fullmatch(given) or len(given) > longest:
        raise InvalidRequest(
            f"an idempotency key is 1 to {longest} printable ASCII characters,"
            " without a space at its ends"
        )
    return given


def encode(value: object) -> bytes:
    """Encode strict JSON in UTF-8."""
    try:
        return json.dumps(
            value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        why = json_problem(value) or error
        raise InvalidRequest(f"a value cannot be sent as JSON: {why}") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _fields(given: Mapping[str, object], known: frozenset[str]) -> dict[str, object]:
    if unknown := sorted(str(name) for name in given if name not in known):
        raise InvalidRequest(f"{unknown[0]!r} is none of {', '.join(sorted(known))}")
    return {name: _wire(name, value) for name, value in given.items()}


def _wire(name: str, value: object) -> object:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidRequest(f"{name} needs a time zone; for instance datetime.now(UTC)")
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise InvalidRequest(f"{name} is no time between the years 1 and 9999") from None
    if value is None:
        return None
    if name.endswith("_seconds"):
        return seconds(name, value)
    if name in TIMES and not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a datetime with a time zone, not {shown(value)}")
    if name == "tags":
        return _texts(name, value)
    return value


def _texts(name: str, value: object) -> list[object]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise InvalidRequest(f"{name}: {shown(value)} is neither a text nor several")
    return list(value)


def _number_as_text(value: object) -> object:
    return f"{value:.15g}" if isinstance(value, float) else value


def _batch(items: list[bytes]) -> bytes:
    return BATCH_START + b",".join(items) + BATCH_END
