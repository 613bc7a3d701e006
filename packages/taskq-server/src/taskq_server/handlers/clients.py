"""What submitting by function needs of a client and of its task handles, as protocols.

The clients of taskq-client have all of it. Neither package imports the other.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeVar

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")
ResultT_co = TypeVar("ResultT_co", covariant=True)

PriorityName = Literal["low", "normal", "high", "urgent"]
ConflictName = Literal["return", "replace", "reject"]


class SubmitOptions(TypedDict, total=False):
    """What a submit may say besides the payload; the clients describe each."""

    idempotency_key: str | None
    traceparent: str | None
    title: str | None
    description: str | None
    priority: PriorityName | None
    tags: list[str] | None
    queue: str | None
    run_at: datetime | None
    delay_seconds: float | None
    timeout_seconds: float | None
    max_retries: int | None
    backoff_base_seconds: float | None
    backoff_max_seconds: float | None
    keep_seconds: float | None
    unique_key: str | None
    on_conflict: ConflictName | None


class TaskSnapshot(Protocol):
    """A task as it was at one moment; the client's class has more fields."""

    @property
    def id(self) -> str:
        """The id of the task."""

    @property
    def status(self) -> str:
        """The status of the task."""

    @property
    def attempt(self) -> int:
        """How many attempts have begun."""

    @property
    def result(self) -> Any:
        """The result as JSON, once the task succeeded."""


class Progress(Protocol):
    """A report of progress."""

    @property
    def current(self) -> float:
        """The amount that is done."""

    @property
    def total(self) -> float | None:
        """The whole amount, if it is known."""

    @property
    def message(self) -> str | None:
        """A sentence about it."""


class _Submitted(Protocol):
    @property
    def id(self) -> str:
        """The id of the task."""

    @property
    def status(self) -> str:
        """The status that the task had last."""

    @property
    def task(self) -> TaskSnapshot:
        """The task as it was last."""

    @property
    def conflict(self) -> bool | None:
        """Whether the submit stored no task, because this one has its unique key."""


class SubmittedTask(_Submitted, Protocol[ResultT_co]):
    """A submitted task: the `TaskHandle` of a blocking client, typed by the function's result."""

    def result(self, *, timeout: float | None = None) -> ResultT_co:
        """Wait until the task has ended and return its result, or raise how it ended."""

    def wait(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> TaskSnapshot:
        """Wait until the task has ended, in whatever status."""

    def stream(self, timeout: float | None = None) -> Generator[TaskSnapshot, None, None]:
        """Iterate over the states of the task up to its end."""

    def refresh(self) -> TaskSnapshot:
        """Fetch the task as it is now."""

    def cancel(self) -> TaskSnapshot:
        """Cancel the task, or tell it to stop."""

    def retry(self) -> TaskSnapshot:
        """Queue the failed or cancelled task again."""


class AsyncSubmittedTask(_Submitted, Protocol[ResultT_co]):
    """A submitted task: the `AsyncTaskHandle` of an asyncio client, typed by the result."""

    async def result(self, *, timeout: float | None = None) -> ResultT_co:
        """Wait until the task has ended and return its result, or raise how it ended."""

    async def wait(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> TaskSnapshot:
        """Wait until the task has ended, in whatever status."""

    def stream(self, timeout: float | None = None) -> AsyncGenerator[TaskSnapshot, None]:
        """Iterate over the states of the task up to its end."""

    async def refresh(self) -> TaskSnapshot:
        """Fetch the task as it is now."""

    async def cancel(self) -> TaskSnapshot:
        """Cancel the task, or tell it to stop."""

    async def retry(self) -> TaskSnapshot:
        """Queue the failed or cancelled task again."""


# Both list the options, because pyright compares no unpacked dictionary with another one.
class Client(Protocol):
    """What `submit` needs of a blocking client."""

    def submit(
        self,
        handler: str,
        payload: Mapping[str, object],
        *,
        returns: "TypeForm[T]",
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        title: str | None = None,
        description: str | None = None,
        priority: PriorityName | None = None,
        tags: list[str] | None = None,
        queue: str | None = None,
        run_at: datetime | None = None,
        delay_seconds: float | None = None,
        timeout_seconds: float | None = None,
        max_retries: int | None = None,
        backoff_base_seconds: float | None = None,
        backoff_max_seconds: float | None = None,
        keep_seconds: float | None = None,
        unique_key: str | None = None,
        on_conflict: ConflictName | None = None,
    ) -> SubmittedTask[T]:
        """Submit a task, whose handle reads the result as `returns`."""


class AsyncClient(Protocol):
    """What `submit` needs of an asyncio client."""

    def submit(
        self,
        handler: str,
        payload: Mapping[str, object],
        *,
        returns: "TypeForm[T]",
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        title: str | None = None,
        description: str | None = None,
        priority: PriorityName | None = None,
        tags: list[str] | None = None,
        queue: str | None = None,
        run_at: datetime | None = None,
        delay_seconds: float | None = None,
        timeout_seconds: float | None = None,
        max_retries: int | None = None,
        backoff_base_seconds: float | None = None,
        backoff_max_seconds: float | None = None,
        keep_seconds: float | None = None,
        unique_key: str | None = None,
        on_conflict: ConflictName | None = None,
    ) -> Awaitable[AsyncSubmittedTask[T]]:
        """Submit a task, whose handle reads the result as `returns`."""
