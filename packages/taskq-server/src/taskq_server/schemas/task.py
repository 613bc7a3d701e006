"""Requests about tasks, and the task on the wire."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import Field, JsonValue, PrivateAttr, model_validator

from taskq_server.domain import limits
from taskq_server.domain.requests import NewTask, TaskChanges
from taskq_server.domain.task import Priority
from taskq_server.domain.unique import OnConflict
from taskq_server.schemas.fields import (
    Answer,
    BackoffSeconds,
    DelaySeconds,
    Description,
    HandlerName,
    Id,
    KeepSeconds,
    MaxRetries,
    Moment,
    OnConflictLabel,
    PriorityLabel,
    QueueName,
    Request,
    StatusLabel,
    Tags,
    TimeoutSeconds,
    Title,
    UniqueKeyText,
)


class TaskTemplate(Request):
    """A task but for its time; its payload has been parsed, and is not validated once more."""

    handler: HandlerName = Field(description="which handler does the work")
    payload: dict[str, Any] = Field(default_factory=dict, description="its parameters")
    title: Title | None = Field(None, description="for people; defaults to the handler's name")
    description: Description | None = None
    priority: PriorityLabel | None = Field(None, description="the handler's own when null")
    tags: Tags | None = Field(
        None, description="names to find the task by; the handler's own when null"
    )
    queue: QueueName | None = Field(None, description="the handler's own when null")
    timeout_seconds: TimeoutSeconds | None = Field(
        None, description="time limit of one attempt; the handler's own when null"
    )
    max_retries: MaxRetries | None = Field(
        None, description="retries after the first try; the handler's own when null"
    )
    backoff_base_seconds: BackoffSeconds | None = Field(
        None, description="most that the first retry waits; the handler's own when null"
    )
    backoff_max_seconds: BackoffSeconds | None = Field(
        None, description="most that any retry waits; the handler's own when null"
    )
    keep_seconds: KeepSeconds | None = Field(
        None,
        description="how long it is kept after its end; as the server's settings say when null",
    )
    unique_key: UniqueKeyText | None = Field(
        None,
        description="no other task with this key waits or runs at the same time; what the handler "
        "finds in the payload when null, mostly none",
    )
    on_conflict: OnConflictLabel | None = Field(
        None,
        description="if another task holds the `unique_key`: `return` it (null means that), "
        "`replace` its payload and start if it only waits, or `reject` this one",
    )


class TaskCreate(TaskTemplate):
    """A task to store and run."""

    run_at: Moment | None = Field(None, description="not before this time; null means now")
    delay_seconds: DelaySeconds | None = Field(
        None, description="not before this many seconds from now; instead of `run_at`"
    )

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.run_at is not None and self.delay_seconds is not None:
            raise ValueError("give run_at or delay_seconds, not both")
        return self

    def as_new_task(self) -> NewTask:
        """Return the same as a plain value."""
        return NewTask(
            self.handler,
            self.payload,
            self.title,
            self.description,
            None if self.priority is None else Priority.from_label(self.priority),
            self.tags,
            self.queue,
            self.run_at,
            self.delay_seconds,
            self.timeout_seconds,
            self.max_retries,
            self.backoff_base_seconds,
            self.backoff_max_seconds,
            self.keep_seconds,
            self.unique_key,
            None if self.on_conflict is None else OnConflict(self.on_conflict),
        )


class ChildCreate(TaskCreate):
    """A task that a handler submits, whose payload may be anything."""

    payload: dict[str, JsonValue]


class PackedTask(TaskCreate):
    """A task whose payload is kept as text: parsed, it takes up to 100 times its bytes."""

    _text: bytes = PrivateAttr()

    @staticmethod
    def of(new: TaskCreate) -> "PackedTask":
        """Return the same task, packed."""
        given: dict[str, Any] = {**new.__dict__, "payload": {}}
        packed = PackedTask.model_construct(_fields_set=new.model_fields_set, **given)
        packed._text = orjson.dumps(new.payload)
        return packed

    def as_new_task(self) -> NewTask:
        """Return the same as a plain value, whose payload is text."""
        return super().as_new_task()._replace(payload=self._text)


class TaskBatch(Request):
    """Tasks to store together: all of them, or none."""

    items: Annotated[list[TaskCreate], Field(min_length=1, max_length=limits.BATCH_ITEMS)]


class TaskUpdate(Request):
    """A JSON merge patch (RFC 7396): absent means unchanged, null resets what may be reset."""

    title: Title | None = Field(None, description="null: the handler's name")
    description: Description | None = None
    tags: Tags | None = Field(None, description="replaces all tags; null: the handler's own")
    priority: PriorityLabel | None = Field(None, description="null: the handler's own")
    max_retries: MaxRetries | None = Field(None, description="null: the handler's own")
    timeout_seconds: TimeoutSeconds | None = Field(None, description="null: the handler's own")
    run_at: Moment | None = Field(None, description="null: now")

    def as_changes(self) -> TaskChanges:
        """Return the same as a plain value."""
        return TaskChanges(
            given=frozenset(self.model_fields_set),
            title=self.title,
            description=self.description,
            tags=None if self.tags is None else tuple(self.tags),
            priority=None if self.priority is None else Priority.from_label(self.priority),
            max_retries=self.max_retries,
            timeout_seconds=self.timeout_seconds,
            run_at=self.run_at,
        )


class WaitRequest(Request):
    """Tasks to wait for."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=limits.WAIT_IDS)]
    timeout_seconds: Annotated[float, Field(strict=True, ge=0, le=limits.WAIT_SECONDS)] = 20.0


class Progress(Answer):
    """How far a running handler says it is."""

    current: float
    total: float | None = None
    message: str | None = None


class AttemptRead(Answer):
    """One ended attempt."""

    attempt: int
    outcome: str = Field(
        description="succeeded, failed, timed_out, lost, released or cancelled",
        json_schema_extra={
            "enum": ["succeeded", "failed", "timed_out", "lost", "released", "cancelled"]
        },
    )
    type: str | None = Field(description="class of the error")
    message: str | None
    traceback: str | None
    worker_id: UUID | None
    worker_name: str | None = Field(description="host and process of the worker")
    started_at: datetime
    finished_at: datetime
    retry_at: datetime | None


class TaskSchedule(Answer):
    """The schedule that has fired a task."""

    name: str = Field(description="its name; it may be deleted by now")
    fire_at: datetime = Field(description="the time of the schedule that the task is for")


class TaskItem(Answer):
    """A task in a list: everything but payload, result and errors."""

    id: UUID
    handler: str
    title: str
    description: str | None
    status: StatusLabel
    priority: PriorityLabel
    tags: list[str]
    queue: str
    run_at: datetime | None
    timeout_seconds: float
    max_retries: int
    current_retry_count: int
    backoff_base_seconds: float | None
    backoff_max_seconds: float | None
    attempt: int
    progress: Progress | None
    worker_id: UUID | None
    cancel_requested_at: datetime | None
    traceparent: str | None = Field(description="W3C trace context that the task belongs to")
    schedule: TaskSchedule | None = Field(description="what has fired it; null: a submit")
    version: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TaskRead(TaskItem):
    """A whole task."""

    payload: dict[str, JsonValue]
    keep_seconds: float | None = Field(
        description="how long it is kept after its end; null: as the server's settings say"
    )
    unique_key: str | None = Field(
        description="no other task with this key waits or runs at the same time"
    )
    errors: list[AttemptRead]
    result: JsonValue


class TaskHolder(Answer):
    """The task that holds a unique key, for callers who may not read it."""

    id: UUID
    status: StatusLabel


class TaskPage(Answer):
    """One page of a list."""

    items: list[TaskItem]
    next_cursor: str | None


class TaskList(Answer):
    """Tasks in the order they were asked for."""

    items: list[TaskRead]


class SubmittedList(Answer):
    """Tasks in the order they were sent; of holders of unique keys that is all one may know."""

    items: list[TaskRead | TaskHolder]


class TaskRef(Answer):
    """A task's id alone, as `Prefer: return=minimal` asks for."""

    id: UUID


class TaskRefs(Answer):
    """Ids in the order the tasks were sent."""

    items: list[TaskRef]


class AttemptList(Answer):
    """The ended attempts of a task, oldest first."""

    items: list[AttemptRead]
