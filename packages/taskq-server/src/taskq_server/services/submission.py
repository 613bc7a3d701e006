"""Turn a request into the row to insert: defaults, checks, and the idempotency key."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Self
from uuid import UUID

import orjson
from pydantic import JsonValue

from taskq_server.core.config import Settings
from taskq_server.core.json_values import count, may_exceed
from taskq_server.core.turns import Turns
from taskq_server.domain.caller import Caller
from taskq_server.domain.declared_keys import unique_key
from taskq_server.domain.errors import FieldError, InvalidFields, TooManyValues
from taskq_server.domain.ids import Mark
from taskq_server.domain.requests import DEFAULT_QUEUE, NewTask
from taskq_server.domain.task import Status, Task, score
from taskq_server.domain.unique import OnConflict, UniqueKey
from taskq_server.services.catalog import Catalog

_FIRST_VERSION = 1
_UNMARKED = Mark(0)
_QUICK_BYTES = 16_384
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical(body: JsonValue) -> bytes:
    """Return the canonical form of a body: sorted keys, no spaces, ASCII."""
    return _CANONICAL.encode(body).encode()


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's key, and the fingerprint of its body."""

    value: str
    fingerprint: str

    @classmethod
    def of(cls, value: str, body: JsonValue) -> Self:
        """Return the key with the SHA-256 of the canonical body."""
        return cls(value, sha256(canonical(body)).hexdigest())

    def hash(self, position: int = 0) -> str:
        """Return the hash to store; each task of a batch gets a hash of its own.

        The suffix begins with NUL, which a key cannot contain, so no other key has the same hash.
        """
        suffix = f"\0{position}" if position else ""
        return sha256((self.value + suffix).encode()).hexdigest()


class Made(NamedTuple):
    """A task to store, its tags as they were given (names may be repeated), and its own retention.

    `keep_seconds` is None for a task that is kept as long as others, `unique` for one that may wait
    and run beside all others.
    """

    task: Task
    tags: Sequence[str]
    keep_seconds: float | None = None
    unique: UniqueKey | None = None


class Submission:
    """Turn a `NewTask` into a `Task` that may be stored.

    Args:
        settings: sizes and defaults.
        catalog: the published handlers.
        new_id: makes an id for a moment, with marks.
        turns: shares the event loop among checks of large payloads.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        new_id: Callable[[datetime, Mark], UUID],
        turns: Turns,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._new_id = new_id
        self._turns = turns

    async def task(
        self, caller: Caller, new: NewTask, traceparent: str | None, now: datetime
    ) -> Made:
        """Return the task to store, with the handler's defaults for what is left out.

        Args:
            caller: the task belongs to its namespace.
            new: the request.
            traceparent: the header of the request.
            now: aware UTC.

        Raises:
            UnknownHandler: no worker has published the handler.
            InvalidPayload: the payload does not fit the handler's schema.
            InvalidFields: the payload is too large, or a conflict is decided on that cannot be.
            TooManyValues: the payload has too many values.
        """
        known = await self._catalog.require(caller, new.handler)
        given = new.payload
        payload = given if isinstance(given, bytes) else orjson.dumps(given)
        if len(payload) > _QUICK_BYTES:
            await self._turns.next()
        self._check_values(payload)
        values = orjson.loads(given) if isinstance(given, bytes) else given
        await self._catalog.check(known, values)
        self._check_size(payload)
        run_at = new.run_at
        if new.delay_seconds is not None:
            run_at = now + timedelta(seconds=new.delay_seconds)
        handler, timeout, retries = known.handler, new.timeout_seconds, new.max_retries
        defaults = handler.defaults
        unique = _unique(new, defaults.unique_key, values)
        priority = defaults.priority if new.priority is None else new.priority
        task = Task(
            id=self._new_id(now, _UNMARKED if unique is None else Mark.UNIQUE),
            namespace=caller.namespace,
            handler=new.handler,
            title=new.title if new.title is not None else new.handler,
            description=new.description,
            payload=payload.decode(),
            status=Status.QUEUED,
            priority=priority,
            queue=defaults.queue if new.queue is None else new.queue,
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
            submitted_by=caller.key_id,
        )
        tags = defaults.tags if new.tags is None else new.tags
        return Made(task, tags, new.keep_seconds, unique)

    def queue_of(self, caller: Caller, new: NewTask) -> str:
        """Return the queue of a task that was not made, as far as it is known without a look."""
        if new.queue is not None:
            return new.queue
        known = self._catalog.remembered(caller, new.handler)
        return DEFAULT_QUEUE if known is None else known.handler.defaults.queue

    def has_listener(self, caller: Caller, task: Task) -> bool:
        """Return whether a live worker listens to the queue of a task that was just made."""
        return self._catalog.has_listener(caller, task.queue)

    def _check_values(self, payload: bytes) -> None:
        most = self._settings.max_payload_values
        if may_exceed(payload, most) and count(payload.decode()) > most:
            raise TooManyValues.at("/payload", most)

    def _check_size(self, payload: bytes) -> None:
        limit = self._settings.max_payload_bytes
        if len(payload) > limit:
            detail = f"the payload has {len(payload)} bytes of JSON, {limit} are allowed"
            raise InvalidFields(detail, [FieldError("/payload", "payload-too-large", detail)])


def _unique(new: NewTask, pointer: str | None, payload: JsonValue) -> UniqueKey | None:
    """Return the unique key that a submit names, or its handler finds in the payload."""
    key = new.unique_key
    if key is None and pointer is not None:
        key = unique_key(new.handler, pointer, payload)
    elif key is None and new.on_conflict is not None:
        detail = "without a unique_key there is no conflict"
        raise InvalidFields(detail, [FieldError("/on_conflict", "without-unique-key", detail)])
    return None if key is None else UniqueKey(key, new.on_conflict or OnConflict.RETURN)
