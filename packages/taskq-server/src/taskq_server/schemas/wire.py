"""Write tasks as JSON straight from their rows, without a second serialisation.

The models in `task.py` describe the same form, and a test compares the two.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from taskq_server.domain.task import Attempt, Task, TaskDetails

_OPTIONS = orjson.OPT_UTC_Z


def dump(value: Any) -> bytes:
    """Return `value` as JSON bytes; times as RFC 3339 UTC with `Z`."""
    return orjson.dumps(value, option=_OPTIONS)


def item(details: TaskDetails) -> dict[str, Any]:
    """Return a task as an entry of a list."""
    task = details.task
    return {**_head(task), "tags": details.tags, **_tail(task)}


def whole(details: TaskDetails) -> dict[str, Any]:
    """Return a task with its payload, result and errors."""
    return {
        **item(details),
        "payload": orjson.Fragment(details.task.payload),
        "errors": attempts(details.errors),
        "result": _fragment(details.result),
    }


def attempts(ended: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return ended attempts."""
    return [
        {
            "attempt": one.attempt,
            "outcome": one.outcome.value,
            "type": one.error_type,
            "message": one.error_message,
            "traceback": one.traceback,
            "worker_id": one.worker_id,
            "started_at": one.started_at,
            "finished_at": one.finished_at,
            "retry_at": one.retry_at,
        }
        for one in ended
    ]


def moment(value: datetime) -> str:
    """Return a time in the form of the wire: RFC 3339 in UTC with `Z`."""
    text: str = orjson.loads(dump(value))
    return text


def _head(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "handler": task.handler,
        "title": task.title,
        "description": task.description,
        "status": task.status.value,
        "priority": task.priority.label,
        "queue": task.queue,
        "run_at": task.run_at,
        "timeout_seconds": task.timeout_seconds,
        "max_retries": task.max_retries,
        "current_retry_count": task.current_retry_count,
        "backoff_base_seconds": task.backoff_base_seconds,
        "backoff_max_seconds": task.backoff_max_seconds,
    }


def _tail(task: Task) -> dict[str, Any]:
    return {
        "attempt": task.attempt,
        "progress": _fragment(task.progress),
        "worker_id": task.worker_id,
        "cancel_requested_at": task.cancel_requested_at,
        "version": task.version,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
    }


def _fragment(text: str | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)
