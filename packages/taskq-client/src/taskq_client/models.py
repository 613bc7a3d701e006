"""Arguments and answers as plain data, which additions of a newer server do not break.

Answers are frozen pydantic models that ignore unknown fields and keep unknown enum values as text.
Those with an id or a name are hashed by it, and equal if all their fields are.
Arguments are typed dictionaries, in which an absent key differs from None.
JSON of users is `Any`, as in `json.loads`, because only they know its shape.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from taskq_client._model import Model as _Model
from taskq_client._options import (
    Duration as Duration,
)
from taskq_client._options import (
    ListFilters as ListFilters,
)
from taskq_client._options import (
    NewTask as NewTask,
)
from taskq_client._options import (
    OnConflict as OnConflict,
)
from taskq_client._options import (
    Priority as Priority,
)
from taskq_client._options import (
    PriorityName as PriorityName,
)
from taskq_client._options import (
    StatusName as StatusName,
)
from taskq_client._options import (
    TaskChanges as TaskChanges,
)
from taskq_client._options import (
    TaskOptions as TaskOptions,
)
from taskq_client._options import (
    TaskStatus as TaskStatus,
)

ItemT = TypeVar("ItemT")

OpenStatus = Annotated[TaskStatus | str, Field(union_mode="left_to_right")]
OpenPriority = Annotated[Priority | str, Field(union_mode="left_to_right")]


class Attempt(_Model):
    """One ended try of a task; `type`, `message` and `traceback` are None unless it failed.

    `worker_name` is the host and the process of the worker.
    """

    attempt: int
    outcome: str
    type: str | None = None
    message: str | None = None
    traceback: str | None = None
    worker_id: str | None = None
    worker_name: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retry_at: datetime | None = None


class TaskError(Attempt):
    """One failed try of a task, and when it was or will be tried again."""


class Progress(_Model):
    """The progress that a running task has reported."""

    current: int | float
    total: int | float | None = None
    message: str | None = None


class TaskSchedule(_Model):
    """The schedule that has submitted a task, and the time for which it did, before jitter."""

    name: str
    fire_at: datetime


class _Field(Generic[ItemT]):
    """A field of a task, read through its handle."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, handle: "_TaskFields", owner: type) -> ItemT:
        value: ItemT = getattr(handle.task, self._name)
        return value


class Task(_Model):
    """A snapshot of a task. Items of a list leave out what only `get` returns.

    These are `payload`, `result`, `errors`, `keep_seconds` and `unique_key`.
    """

    id: str
    handler: str
    title: str
    description: str | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    status: OpenStatus
    priority: OpenPriority
    tags: list[str] = Field(default_factory=list)
    queue: str
    run_at: datetime | None = None
    timeout_seconds: float
    max_retries: int
    backoff_base_seconds: float | None = None
    backoff_max_seconds: float | None = None
    keep_seconds: float | None = None
    unique_key: str | None = None
    current_retry_count: int
    attempt: int
    errors: list[TaskError] = Field(default_factory=list)
    progress: Progress | None = None
    result: Any = None
    worker_id: str | None = None
    cancel_requested_at: datetime | None = None
    traceparent: str | None = None
    schedule: TaskSchedule | None = None
    version: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def final(self) -> bool:
        """Tell whether the task has ended; with a status unknown here, by its end time."""
        if isinstance(self.status, TaskStatus):
            return self.status in (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED)
        return self.finished_at is not None


class _TaskFields:
    """The fields of a task as attributes of its handle, read from the last snapshot, `task`."""

    task: Task

    # Two properties, because pyright finds no other descriptors in the fields of a protocol.
    @property
    def id(self) -> str:
        return self.task.id

    @property
    def status(self) -> OpenStatus:
        return self.task.status

    handler = _Field[str]()
    title = _Field[str]()
    description = _Field[str | None]()
    payload = _Field[dict[str, Any]]()
    priority = _Field[Priority | str]()
    tags = _Field[list[str]]()
    queue = _Field[str]()
    run_at = _Field[datetime | None]()
    timeout_seconds = _Field[float]()
    max_retries = _Field[int]()
    backoff_base_seconds = _Field[float | None]()
    backoff_max_seconds = _Field[float | None]()
    keep_seconds = _Field[float | None]()
    unique_key = _Field[str | None]()
    current_retry_count = _Field[int]()
    attempt = _Field[int]()
    errors = _Field[list[TaskError]]()
    progress = _Field[Progress | None]()
    worker_id = _Field[str | None]()
    cancel_requested_at = _Field[datetime | None]()
    traceparent = _Field[str | None]()
    schedule = _Field[TaskSchedule | None]()
    version = _Field[int]()
    created_at = _Field[datetime]()
    updated_at = _Field[datetime]()
    started_at = _Field[datetime | None]()
    finished_at = _Field[datetime | None]()
    final = _Field[bool]()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.handler} {self.status}>"


TaskLike = Task | _TaskFields | str
"""A task, a handle of it, or its id."""


class Ref(_Model):
    """The id of a task, alone."""

    id: str


class Handler(_Model):
    """A handler that workers have published; `payload_schema` is the JSON Schema of its payload.

    `max_retries`, `timeout_seconds`, `queue`, `priority` and `tags` are those of tasks whose submit
    leaves them out; `unique_key` is a JSON pointer to the unique key in the payload of such tasks.
    """

    name: str
    description: str | None = None
    payload_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    max_retries: int | None = None
    timeout_seconds: float | None = None
    queue: str | None = None
    priority: Priority | None = None
    tags: list[str] = Field(default_factory=list)
    unique_key: str | None = None
    workers: int = 0

    def __hash__(self) -> int:
        return hash(self.name)


class Tag(_Model):
    """A tag and how many tasks carry it."""

    name: str
    count: int


class QueueStats(_Model):
    """The numbers of one queue.

    Attributes:
        name: The name of the queue.
        tasks: The number of tasks in each status.
        depth: The number of tasks that are queued or retrying, due or not.
        oldest_age_seconds: Seconds for which the oldest due task has been due; None without one.
        throughput_per_minute: The attempts that ran to their end, successful or not, on average
            over the last five minutes.
        run_seconds_mean: The mean of how long these attempts ran; None without any.
    """

    name: str
    tasks: dict[OpenStatus, int] = Field(default_factory=dict)
    depth: int = 0
    oldest_age_seconds: float | None = None
    throughput_per_minute: float = 0.0
    run_seconds_mean: float | None = None

    def __hash__(self) -> int:
        return hash(self.name)


class Stats(_Model):
    """The numbers of the server.

    Attributes:
        tasks: The number of tasks in each status, in all queues.
        queues: The queues that have tasks, by name.
        workers: The number of workers that are alive.
    """

    tasks: dict[OpenStatus, int] = Field(default_factory=dict)
    queues: list[QueueStats] = Field(default_factory=list)
    workers: int = 0


class RunningTask(_Model):
    """A task that a worker runs now.

    Attributes:
        id: The id of the task.
        namespace: The namespace of the task.
        handler: The handler that runs.
        attempt: The number of the attempt.
        started_at: When the attempt began.
        quarantined: Whether it runs in quarantine, because its last worker was lost.
    """

    id: str
    namespace: str | None = None
    handler: str
    attempt: int
    started_at: datetime
    quarantined: bool = False

    def __hash__(self) -> int:
        return hash(self.id)


class Worker(_Model):
    """A worker that is alive.

    Attributes:
        id: The id of this start of the worker, which attempts have as `worker_id`.
        name: Its host and process, which attempts have as `worker_name`.
        namespaces: The namespaces that it serves, as far as the caller is told; `*` for all.
        queues: The queues that it listens to.
        handlers: The handlers that it can run, as far as the caller is told.
        concurrency: How many tasks it may run at once.
        running: What it runs now of the tasks that the caller sees, the longest first.
        running_count: How many these are, those too that are not in `running`.
        quarantine_in_use: How many of them run in quarantine.
        started_at: When it started.
        heartbeat_at: When it has last renewed its lease.
        version: The version of taskq-server; None if it does not tell it.
    """

    id: str
    name: str
    namespaces: list[str] = Field(default_factory=list)
    queues: list[str] = Field(default_factory=list)
    handlers: list[str] = Field(default_factory=list)
    concurrency: int
    running: list[RunningTask] = Field(default_factory=list)
    running_count: int = 0
    quarantine_in_use: int = 0
    started_at: datetime
    heartbeat_at: datetime
    version: str | None = None

    def __hash__(self) -> int:
        return hash(self.id)


class Caller(_Model):
    """The caller as the server sees it: the key that a client has, without its secret.

    Attributes:
        id: The public part of the key; None where the server asks for none.
        name: The name of the key, for people.
        namespace: The namespace that the calls are about; `*` for an operator who names none.
        scopes: What the key may do.
        rate_limit: Most requests, such as `600/minute`; None without a limit of its own.
        created_at: When the key was made.
        expires_at: When it stops opening anything; None for never.
        last_used_at: When it was used before, about a minute exact.
    """

    id: str | None = None
    name: str | None = None
    namespace: str
    scopes: list[str]
    rate_limit: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def __hash__(self) -> int:
        return hash((self.id, self.namespace))


class Health(_Model):
    """Whether the server is ready for work, and its own words about that.

    Attributes:
        reasons: Codes of what keeps it from being ready, such as `database-read-only`; callers
            without `metrics:read` are told none.
    """

    ready: bool
    detail: str = ""
    reasons: list[str] = Field(default_factory=list)


class Page(_Model, Generic[ItemT]):
    """A page of a list; more pages follow while `next_cursor` is set, even after an empty page."""

    items: list[ItemT]
    next_cursor: str | None = None
