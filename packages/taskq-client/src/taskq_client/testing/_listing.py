"""Pages of the fake's tasks."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from taskq_client.testing._problems import Problem

SKIPPED_IN_LISTS = frozenset({"payload", "result", "errors", "keep_seconds", "unique_key"})
_ANY_OF = ("status", "priority", "handler", "queue")
_BOUND_BYTES = 6
_FORM = re.compile("[A-Za-z0-9_-]{30}")


def page(tasks: Iterable[dict[str, Any]], query: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of tasks, which are given in the order of their making."""
    after = None if query["cursor"] is None else read_cursor(query["cursor"], query)
    found = [task for task in tasks if passes(task, query)]
    if query["order"] == "-created_at":
        found.reverse()
        left = [task for task in found if after is None or task["id"] < after]
    else:
        left = [task for task in found if after is None or task["id"] > after]
    shown = left[: query["limit"]]
    items = [{key: task[key] for key in task if key not in SKIPPED_IN_LISTS} for task in shown]
    is_last = len(shown) == len(left)
    return {
        "items": items,
        "next_cursor": None if is_last else write_cursor(shown[-1]["id"], query),
    }


def link(given: Sequence[tuple[str, str]], cursor: str, path: str = "/tasks") -> str:
    """Return the header that names the next page."""
    kept = [each for each in given if each[0] != "cursor"]
    return f'<{path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


def passes(task: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Tell whether a task passes the filters of a list, or of a bulk operation."""
    return (
        all(task[name] in query[name] for name in _ANY_OF if query[name])
        and set(query["tag"]) <= set(task["tags"])
        and task["title"].startswith(query["q"] or "")
        and task["id"].startswith(query["id"] or "")
        and query["schedule"] in (None, (task["schedule"] or {}).get("name"))
        and task["attempt"] >= (query["attempt_min"] or 0)
        and query["error_type"] in (None, _error_type(task))
        and all(_is_within(task, query, name) for name in ("created", "finished"))
    )


def _error_type(task: Mapping[str, Any]) -> str | None:
    """Return the type of the error because of which a task is failed or retrying."""
    is_failing = task["status"] in ("failed", "retrying")
    return task["errors"][-1]["type"] if is_failing else None


def _is_within(task: Mapping[str, Any], query: Mapping[str, Any], what: str) -> bool:
    after, before = query[f"{what}_after"], query[f"{what}_before"]
    if after is None and before is None:
        return True
    if task[f"{what}_at"] is None:
        return False
    moment = datetime.fromisoformat(task[f"{what}_at"])
    return (after is None or moment >= after) and (before is None or moment < before)


def write_cursor(after: str, query: Mapping[str, Any]) -> str:
    """Return the cursor of the page that begins after an id."""
    return urlsafe_b64encode(UUID(after).bytes + _bound(query)).decode().rstrip("=")


def read_cursor(cursor: str, query: Mapping[str, Any]) -> str:
    """Return the id after which a page begins."""
    if _FORM.fullmatch(cursor) is None:
        raise Problem("invalid-cursor", "the cursor cannot be read")
    after = str(UUID(bytes=urlsafe_b64decode(cursor + "==")[:16]))
    if write_cursor(after, query) != cursor:
        detail = "the cursor was made for a list with other filters"
        raise Problem("invalid-cursor", detail)
    return after


def _bound(query: Mapping[str, Any]) -> bytes:
    filters = {key: query[key] for key in query if key not in ("cursor", "limit")}
    return sha256(json.dumps(filters, default=str).encode()).digest()[:_BOUND_BYTES]
