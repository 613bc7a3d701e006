"""What a running handler can ask for and say."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.schemas.task import ChildCreate, TaskCreate


class State(SimpleNamespace):
    """What start-up hooks prepared: connection pools, models; one for each worker process."""


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How far a handler says it is."""

    current: float
    total: float | None
    message: str | None


class _Done:
    """An awaitable that is done: `progress` reads the same in async and in sync handlers."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


@dataclass(slots=True, kw_only=True)
class Context:
    """One attempt, as its handler sees it. Annotate a parameter with this class to receive it.

    Attributes:
        task_id: the task that runs.
        handler: the name it was submitted under.
        attempt: counts claims of this task, from 1.
        state: what `@on_startup` hooks put there.
        logger: carries task id, handler and attempt.
    """

    task_id: UUID
    handler: str
    attempt: int
    state: State
    logger: logging.LoggerAdapter[logging.Logger]
    _loop: asyncio.AbstractEventLoop
    _submit: Callable[[TaskCreate, str], Awaitable[UUID]]
    _report: Callable[[ProgressReport], None]
    _interrupted: Callable[[], bool]
    _submitted: dict[str, int] = field(default_factory=dict)

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should end: its task is cancelled, out of time, or released.

        An async handler gets `asyncio.CancelledError` as well; a sync one has to look here.
        """
        return self._interrupted()

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> Awaitable[None]:
        """Say how far the work is. Cheap: only the latest report is stored, twice a second.

        An async handler may await it; a sync handler just calls it.

        Args:
            current: how much is done.
            total: how much there is, or None when nobody knows.
            message: at most 500 characters are kept.
        """
        self._report(ProgressReport(current, total, message))
        return _Done()

    async def submit(
        self, handler: str, payload: Mapping[str, Any] | None = None, **options: Any
    ) -> UUID:
        """Submit a child task and return its id.

        The same child submitted again by a later attempt of this task is the same task.

        Args:
            handler: which handler runs the child.
            payload: its parameters.
            options: the other fields of `POST /tasks`: title, priority, tags, queue, run_at, …

        Raises:
            Rejected: the service refuses the task.
        """
        body = {"handler": handler, "payload": dict(payload or {}), **options}
        digest = sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
        self._submitted[digest] = self._submitted.get(digest, 0) + 1
        key = child_key(self.task_id, digest, self._submitted[digest])
        try:
            new = ChildCreate.model_validate(body)
        except ValidationError as error:
            raise InvalidFields("the child task cannot be taken", _errors(error)) from None
        return await self._submit(new, key)

    def submit_blocking(
        self, handler: str, payload: Mapping[str, Any] | None = None, **options: Any
    ) -> UUID:
        """Submit a child task from a sync handler; see `submit`.

        Raises:
            RuntimeError: it is called on the event loop, which could never answer.
        """
        if asyncio._get_running_loop() is self._loop:
            raise RuntimeError("submit_blocking blocks the event loop: await submit(...) instead")
        coroutine = self.submit(handler, payload, **options)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def child_key(parent: UUID, digest: str, number: int) -> str:
    """Return the idempotency key of a child task.

    A NUL cannot be part of a caller's key, so that nobody else can have used this one.

    Args:
        parent: the task that submits it.
        digest: of what it submits.
        number: how often it has submitted that, in this attempt.
    """
    return f"\0child:{parent}:{digest}:{number}"


def _errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError("".join(f"/{part}" for part in one["loc"]), one["type"], one["msg"])
        for one in error.errors(include_url=False)
    ]
