"""The tasks of tests: from the arguments of a test to the row that a worker would claim."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from taskq_server.core.config import Settings
from taskq_server.domain import lifecycle, limits
from taskq_server.domain.ids import IdSource
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Fire, Status, Task, score
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Handler

DEFAULTS = Settings.model_construct()
"""The settings of a worker that nobody has changed; the environment does not count in a test."""

WORKER_ID = UUID("019aa1c0-11d4-7a52-9c44-1f0b7d6e2a35")

_new_id = IdSource()


class Children:
    """Take the children of one task, and make their ids; equal keys are one child.

    Args:
        now: when they are submitted, aware UTC.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ids: dict[str, UUID] = {}

    async def __call__(self, new: NewTask, key: str) -> UUID:
        """Return the id of a child."""
        if key not in self._ids:
            self._ids[key] = _new_id(self._now)
        return self._ids[key]


def new_task(
    handler: Handler,
    payload: str,
    max_retries: int | None,
    timeout: float | None,
    now: datetime,
) -> Task:
    """Return a queued task with the defaults of its handler, or of a worker.

    Args:
        handler: the task's handler.
        payload: JSON text.
        max_retries: retries after the first try, or None.
        timeout: seconds one attempt may run, or None.
        now: aware UTC.

    Raises:
        ValueError: a number is out of bounds, or the time has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("now must be a time with a zone, such as datetime.now(UTC)")
    default = DEFAULTS.max_retries if handler.max_retries is None else handler.max_retries
    retries = default if max_retries is None else max_retries
    if not 0 <= retries <= limits.RETRIES:
        raise ValueError(f"max_retries must be between 0 and {limits.RETRIES}, not {retries!r}")
    seconds = (handler.timeout or DEFAULTS.timeout_seconds) if timeout is None else timeout
    if not 0 < seconds <= limits.TIMEOUT_SECONDS:
        raise ValueError(
            f"timeout must be more than 0 and up to {limits.TIMEOUT_SECONDS:,} seconds, "
            f"not {seconds!r}"
        )
    return Task(
        id=_new_id(now),
        namespace=DEFAULTS.namespace,
        handler=handler.name,
        title=handler.name,
        description=None,
        payload=payload,
        status=Status.QUEUED,
        priority=handler.defaults.priority,
        queue=handler.defaults.queue,
        run_at=None,
        score=score(now, handler.defaults.priority),
        timeout_seconds=seconds,
        max_retries=retries,
        current_retry_count=0,
        backoff_base_seconds=None,
        backoff_max_seconds=None,
        attempt=0,
        lost_count=0,
        worker_id=None,
        progress=None,
        cancel_requested_at=None,
        traceparent=None,
        version=1,
        created_at=now,
        updated_at=now,
        started_at=None,
        finished_at=None,
    )


def claimed_task(handler: Handler, fields: Mapping[str, Any]) -> Task:
    """Return a running task as its worker would see it.

    Args:
        handler: the task's handler.
        fields: the task on the wire.
    """
    now = datetime.fromisoformat(fields["started_at"])
    limits_of_it = (fields["max_retries"], fields["timeout_seconds"])
    queued = new_task(handler, json_of(fields["payload"]), *limits_of_it, now)._replace(
        id=UUID(fields["id"]),
        attempt=fields["attempt"] - 1,
        current_retry_count=fields["current_retry_count"],
        backoff_base_seconds=fields["backoff_base_seconds"],
        backoff_max_seconds=fields["backoff_max_seconds"],
        traceparent=fields.get("traceparent"),
    )
    return lifecycle.claim(queued, worker_id=WORKER_ID, now=now)


def fire_of(fields: Mapping[str, Any]) -> Fire | None:
    """Return what has fired a task, given the task on the wire; None for one that was submitted."""
    fire = fields.get("schedule")
    return None if fire is None else Fire(fire["name"], datetime.fromisoformat(fire["fire_at"]))


def json_of(payload: Mapping[str, Any] | None) -> str:
    """Return a payload as the JSON text that a caller would send.

    Raises:
        TypeError: it is no JSON object.
    """
    if not isinstance(payload, Mapping | None):
        raise TypeError(f"a payload is a mapping of parameters, not {type(payload).__name__}")
    try:
        return json.dumps(dict(payload or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the payload is not JSON, which callers send: {error}") from None


def state_of(given: object) -> object:
    """Return what `context.state` is to be: a mapping stands for its attributes."""
    if given is None or isinstance(given, Mapping):
        return State(**(given or {}))
    return given
