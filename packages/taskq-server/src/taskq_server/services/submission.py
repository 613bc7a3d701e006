"""From a request to the row that is inserted: defaults, checks, and the idempotency key."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self
from uuid import UUID

import orjson
from pydantic import JsonValue

from taskq_server.core.config import Settings
from taskq_server.core.errors import FieldError, InvalidFields
from taskq_server.domain.task import Priority, Status, Task, score
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.catalog import Catalog

_FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's key, and a fingerprint of the body it came with."""

    value: str
    fingerprint: str

    @classmethod
    def of(cls, value: str, body: JsonValue) -> Self:
        """Return the key with the SHA-256 of the canonical body: sorted keys, no spaces."""
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return cls(value, sha256(canonical.encode()).hexdigest())

    def hash(self, position: int = 0) -> str:
        """Return what is stored: for the n-th task of a batch a hash of its own.

        A NUL cannot be part of a key, so that no other key gives the same hash.
        """
        suffix = f"\0{position}" if position else ""
        return sha256((self.value + suffix).encode()).hexdigest()


class Submission:
    """Turn `TaskCreate` into a `Task` that may be stored.

    Args:
        settings: sizes and defaults.
        catalog: the handlers that exist.
        new_id: makes an id for a moment.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, new_id: Callable[[datetime], UUID]
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._new_id = new_id

    async def task(self, new: TaskCreate, traceparent: str | None, now: datetime) -> Task:
        """Return the task to store.

        Args:
            new: what is asked for.
            traceparent: of the request.
            now: aware UTC.

        Raises:
            UnknownHandler: nobody has published its handler.
            InvalidPayload: the payload does not fit.
            InvalidFields: the payload is too large.
        """
        handler = await self._catalog.require(new.handler)
        await self._catalog.check(new.handler, new.payload)
        run_at = new.run_at
        if new.delay_seconds is not None:
            run_at = now + timedelta(seconds=new.delay_seconds)
        priority = Priority.from_label(new.priority)
        timeout = new.timeout_seconds
        retries = new.max_retries
        return Task(
            id=self._new_id(now),
            namespace=self._settings.namespace,
            handler=new.handler,
            title=new.title if new.title is not None else new.handler,
            description=new.description,
            payload=self._payload(new),
            status=Status.QUEUED,
            priority=priority,
            queue=new.queue,
            run_at=run_at,
            score=score(run_at or now, priority),
            timeout_seconds=timeout if timeout is not None else handler.timeout_seconds,
            max_retries=retries if retries is not None else handler.max_retries,
            current_retry_count=0,
            backoff_base_seconds=new.backoff_base_seconds,
            backoff_max_seconds=new.backoff_max_seconds,
            attempt=0,
            lost_count=0,
            worker_id=None,
            progress=None,
            cancel_requested_at=None,
            traceparent=traceparent,
            version=_FIRST_VERSION,
            created_at=now,
            updated_at=now,
            started_at=None,
            finished_at=None,
        )

    def _payload(self, new: TaskCreate) -> str:
        payload = orjson.dumps(new.payload)
        limit = self._settings.max_payload_bytes
        if len(payload) > limit:
            detail = f"the payload has {len(payload)} bytes of JSON, {limit} are allowed"
            raise InvalidFields(detail, [FieldError("/payload", "payload-too-large", detail)])
        return payload.decode()
