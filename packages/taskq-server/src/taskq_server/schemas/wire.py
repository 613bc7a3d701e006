"""Write tasks as JSON straight from their rows, without a second serialisation.

The models in `task.py` describe the same form and name the columns of a task that callers see; a
test compares the two.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from taskq_server.domain.task import WAITING, Attempt, Status, Task, TaskDetails
from taskq_server.schemas.task import TaskItem

_OPTIONS = orjson.OPT_UTC_Z

_SHOWN = tuple(name for name in TaskItem.model_fields if name in Task._fields)
"""The columns that callers see, nearly all of them unchanged."""

_values = itemgetter(*map(Task._fields.index, _SHOWN))


def dump(value: Any) -> bytes:
    """Return `value` as JSON bytes; times as RFC 3339 UTC with `Z`."""
    return orjson.dumps(value, option=_OPTIONS)


def item(details: TaskDetails) -> dict[str, Any]:
    """Return a task as an entry of a list."""
    task = details.task
    shown = dict(zip(_SHOWN, _values(task), strict=True))
    shown["status"] = str(task.status)
    shown["priority"] = task.priority.label
    shown["progress"] = _fragment(task.progress)
    shown["tags"] = details.tags
    fire = details.schedule
    shown["schedule"] = None if fire is None else fire._asdict()
    return shown


def whole(details: TaskDetails) -> dict[str, Any]:
    """Return a task with its payload, result and errors, or no more of it than may be known."""
    if details.is_hidden:
        return {"id": details.task.id, "status": str(details.task.status)}
    shown = item(details)
    shown["payload"] = orjson.Fragment(details.task.payload)
    shown["keep_seconds"] = details.keep_seconds
    shown["unique_key"] = details.unique_key
    shown["errors"] = attempts(details.errors)
    shown["result"] = _fragment(details.result)
    return shown


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
            "worker_name": one.worker_name,
            "started_at": one.started_at,
            "finished_at": one.finished_at,
            "retry_at": one.retry_at,
        }
        for one in ended
    ]


def counts(queues: Mapping[str, Counter[Status]], workers: int) -> bytes:
    """Return the tasks of queues by status as JSON, with the number of live workers.

    `StatsEvent` describes the form.
    """
    return dump(
        {
            "tasks": _by_status(sum(queues.values(), Counter())),
            "queues": [
                {
                    "name": name,
                    "tasks": _by_status(tasks),
                    "depth": sum(tasks[status] for status in WAITING),
                }
                for name, tasks in queues.items()
            ],
            "workers": workers,
        }
    )


def _by_status(tasks: Counter[Status]) -> dict[str, int]:
    return {status.value: tasks[status] for status in Status}


def moment(value: datetime) -> str:
    """Return a time in the form of the wire: RFC 3339 in UTC with `Z`."""
    text: str = orjson.loads(dump(value))
    return text


def _fragment(text: str | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)
