"""The limits of bodies that the server checks before the fields."""

import json
from typing import Any

from taskq_client.testing._json import count
from taskq_client.testing._problems import Problem, field, invalid, pointer

MOST_BODY_BYTES, MOST_BATCH_BYTES = 1_048_576, 8_388_608
MOST_PAYLOAD_VALUES = 50_000

_BESIDE = 2_000
_LARGE_BYTES = 524_288
_LARGE_VALUES, _LARGE_BATCH_VALUES = 4_096, 10_000


def check_bytes(raw: bytes, *, is_batch: bool) -> None:
    """Refuse a body that is too large."""
    most = MOST_BATCH_BYTES if is_batch else MOST_BODY_BYTES
    if len(raw) > most:
        raise Problem("body-too-large", f"the body has more than {most} bytes")


def check_values(raw: bytes, document: Any, *, is_batch: bool) -> Any:
    """Refuse more values than any valid body has; return the part to check further."""
    most = _LARGE_BATCH_VALUES if is_batch else _LARGE_VALUES
    marks = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if len(raw) <= _LARGE_BYTES and (len(raw) <= most or marks < most):
        return document
    if not is_batch or not isinstance(document, dict):
        _check_value(document, [])
        _check_fields(document, [])
        return document
    items = document.get("items")
    if not isinstance(items, list):
        items = []
    for position, item in enumerate(items[: _BESIDE + 1]):
        _check_value(item, ["items", position])
    if len(items) > _BESIDE:
        return {"items": items[: _BESIDE + 1]}
    rest = {key: value for key, value in document.items() if value is not items}
    for key, value in rest.items():
        _check_value(value, [key])
    for position, item in enumerate(items):
        _check_fields(item, ["items", position])
    _check_fields(rest, [])
    return document


def too_many(where: str, most: int) -> Problem:
    """Return the problem of too many values in one place."""
    what = f"there are more than {most} values in it, those inside of others included"
    error = field(where, "too-many-values", what)
    return Problem("too-many-values", f"{where or 'the body'}: {what}", [error])


def _check_value(value: Any, path: list[str | int]) -> None:
    most = MOST_PAYLOAD_VALUES + _BESIDE
    members = value.items() if isinstance(value, dict) else ()
    if count(value) > most:
        at_fault = [key for key, member in members if count(member) > most][:1]
        raise too_many(pointer([*path, *at_fault]), MOST_PAYLOAD_VALUES)
    if _length(value) > MOST_BODY_BYTES:
        at_fault = [key for key, member in members if _length(member) > MOST_BODY_BYTES][:1]
        what = f"there are more than {MOST_BODY_BYTES} bytes in it"
        raise invalid("payload-too-large", what, pointer([*path, *at_fault]))


def _check_fields(document: Any, path: list[str | int]) -> None:
    left = _BESIDE
    for key, member in document.items() if isinstance(document, dict) else ():
        if key != "payload":
            left -= count(member)
        if left < 0:
            raise too_many(pointer([*path, key]), _BESIDE)


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
