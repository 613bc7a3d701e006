"""Children of handlers that run for a server in memory."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson

from taskq_server.domain.errors import FieldError, InvalidFields, InvalidPayload, UnknownHandler
from taskq_server.domain.requests import NewTask

SubmitChild = Callable[[dict[str, Any], str], str]
"""Stores a task, given as the body of `POST /tasks` and an idempotency key; returns its id."""

_REFUSALS = {"unknown-handler": UnknownHandler, "invalid-payload": InvalidPayload}


def submit_to(store: SubmitChild) -> Callable[[NewTask, str], Awaitable[UUID]]:
    """Return what submits the children of an attempt.

    Args:
        store: takes them.
    """

    async def submit(new: NewTask, key: str) -> UUID:
        try:
            return UUID(store(_body(new), key))
        except Exception as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            raise refusal from None

    return submit


def _body(new: NewTask) -> dict[str, Any]:
    given = {name: value for name, value in new._asdict().items() if value is not None}
    if new.priority is not None:
        given["priority"] = new.priority.label
    if new.tags is not None:
        given["tags"] = list(new.tags)
    if isinstance(new.payload, bytes):
        given["payload"] = orjson.loads(new.payload)
    if new.run_at is not None:
        given["run_at"] = new.run_at.isoformat()
    return given


def _refusal(error: Exception) -> InvalidFields | None:
    """Return the error that a worker would raise for the problem of a server."""
    code = getattr(error, "code", None)
    if not isinstance(code, str):
        return None
    errors = [FieldError(**one) for one in getattr(error, "errors", ())]
    return _REFUSALS.get(code, InvalidFields)(str(getattr(error, "detail", error)), errors)
