"""Answers to routes, written straight from the rows."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from starlette.types import Scope

from taskq_server.api import prefix
from taskq_server.api.body.reading import JSON
from taskq_server.api.headers import entity_tag
from taskq_server.domain.task import TaskDetails
from taskq_server.schemas import wire
from taskq_server.services.submit import Submitted

NO_LISTENERS = {"Queue-Listeners": "0"}
"""Says that a task waits in a queue to which no live worker listens."""


def document(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as JSON."""
    return Response(wire.dump(value), status, headers, JSON)


def task(
    details: TaskDetails, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a whole task with its `ETag`, or without one if no more of it may be known."""
    tag = {} if details.is_hidden else {"ETag": entity_tag(details.task.version)}
    return document(wire.whole(details), status, {**tag, **(headers or {})})


def submitted(done: Submitted, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """Return a submitted task with its address."""
    located = {
        "Location": prefix.address(scope, f"/tasks/{done.details.task.id}"),
        **(headers or {}),
    }
    if done.replayed:
        located["Idempotency-Replayed"] = "true"
    if done.is_conflict:
        located["Unique-Conflict"] = "true"
    if not done.has_listener:
        located |= NO_LISTENERS
    return task(done.details, 201 if done.is_new else 200, located)
