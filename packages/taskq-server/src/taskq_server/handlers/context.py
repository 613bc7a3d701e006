"""The context of a running handler: facts about its attempt, progress and child tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import ValidationError

from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Fire
from taskq_server.schemas.task import ChildCreate

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault


class State(SimpleNamespace):
    """The attributes that start-up hooks set, such as connection pools; one per worker process."""


if TYPE_CHECKING:
    StateT = TypeVarWithDefault("StateT", default=State)
else:  # Python itself has defaults from 3.13 on
    StateT = TypeVar("StateT")


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The progress that a handler reports."""

    current: float
    total: float | None
    message: str | None


class _Done:
    """A completed awaitable, so that `progress` works alike in async and in sync handlers."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


@dataclass(slots=True, kw_only=True)
class Context(Generic[StateT]):
    """One attempt, for its handler. Annotate a parameter with this class to receive it.

    `Context[Shared]` types `state`, where `Shared` is a class of yours that declares the attributes
    that `@on_startup` hooks set; the object itself is a `State`.

    Attributes:
        task_id: the running task.
        handler: the task's handler name.
        attempt: counts the claims of this task, from 1.
        traceparent: the W3C trace context of this attempt, to be sent as that header with requests
            of yours; None if the task belongs to no trace. Children of the task have it already.
        schedule: the `name` of the schedule that has fired the task, and as `fire_at` the time that
            it is for, aware UTC; None for a task that was submitted.
        state: the attributes that `@on_startup` hooks set.
        logger: adds task id, handler and attempt to each record.
    """

    task_id: UUID
    handler: str
    attempt: int
    traceparent: str | None
    schedule: Fire | None
    state: StateT
    logger: logging.LoggerAdapter[logging.Logger]
    _loop: asyncio.AbstractEventLoop
    _submit: Callable[[NewTask, str], Awaitable[UUID]]
    _report: Callable[[ProgressReport], None]
    _interrupted: Callable[[], bool]
    _submitted: dict[str, int] = field(default_factory=dict)

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should end, because it is cancelled, out of time, or released.

        An async handler gets `asyncio.CancelledError` as well; a sync handler has to check here.
        """
        return self._interrupted()

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> Awaitable[None]:
        """Report progress. This is cheap, because only the latest report is stored, twice a second.

        An async handler may await it; a sync handler just calls it.

        Args:
            current: the amount that is done.
            total: the whole amount, or None if it is unknown.
            message: at most 500 characters are kept.
        """
        self._report(ProgressReport(current, total, message))
        return _Done()

    async def submit(
        self, handler: str, payload: Mapping[str, Any] | None = None, **options: Any
    ) -> UUID:
        """Submit a child task and return its id.

        If a later attempt of this task submits the same child again, it gets the same task.

        Args:
            handler: the child's handler.
            payload: the handler's parameters.
            options: the other fields of `POST /tasks`: title, priority, tags, queue, run_at,
                unique_key, … With a `unique_key` that another task holds, the id is that task's.

        Raises:
            Rejected: the service refuses the task; `UniqueConflict` if it is told to by
                `on_conflict="reject"`.
        """
        body = {"handler": handler, "payload": dict(payload or {}), **options}
        digest = sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
        self._submitted[digest] = self._submitted.get(digest, 0) + 1
        key = child_key(self.task_id, digest, self._submitted[digest])
        try:
            new = ChildCreate.model_validate(body).as_new_task()
        except ValidationError as error:
            raise InvalidFields("the child task cannot be taken", _errors(error)) from None
        return await self._submit(new, key)

    def submit_blocking(
        self, handler: str, payload: Mapping[str, Any] | None = None, **options: Any
    ) -> UUID:
        """Submit a child task from a sync handler; see `submit`.

        Raises:
            RuntimeError: the call is on the event loop, which it would block for ever.
        """
        if asyncio._get_running_loop() is self._loop:
            raise RuntimeError("submit_blocking blocks the event loop: await submit(...) instead")
        coroutine = self.submit(handler, payload, **options)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def child_key(parent: UUID, digest: str, number: int) -> str:
    """Return the idempotency key of a child task.

    The key begins with NUL, which a caller's key cannot contain, so the two never collide.

    Args:
        parent: the task that submits the child.
        digest: the digest of the child's body.
        number: how many times this attempt has submitted that body by now.
    """
    return f"\0child:{parent}:{digest}:{number}"


def _errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError("".join(f"/{part}" for part in one["loc"]), one["type"], one["msg"])
        for one in error.errors(include_url=False)
    ]
