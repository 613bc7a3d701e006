"""Handlers from elsewhere, such as those of a worker: what the fake needs of them, as protocols."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

SubmitChild = Callable[[dict[str, Any], str], str]
"""Stores a task, given as the body of `POST /tasks` and an idempotency key; returns its id."""


class Handlers(Protocol):
    """Handlers for `FakeTaskq.load`; `taskq_server.testing.handlers("jobs")` makes such an object.

    One that also has `describe(handler)` says what `GET /handlers` shows: a mapping that may have
    `description`, `schema`, `max_retries`, `timeout_seconds`, `queue`, `priority`, `tags` and
    `unique_key`.
    """

    def names(self) -> Iterable[str]:
        """Return the names of the handlers."""

    def validate(self, handler: str, payload: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """Return what does not fit in a payload, each as a JSON pointer and a sentence."""

    def call(self, task: Mapping[str, Any], submit: SubmitChild) -> object:
        """Run one attempt of a task.

        Args:
            task: The running task as the server sends it: `handler`, `payload`, `attempt`, ….
            submit: Stores a child task.

        Returns:
            How the attempt ended, an object with the attributes of `AttemptEnd`; or an outcome as
            for `FakeTaskq.on`: a `Step`, an exception, or the result.
        """


@runtime_checkable
class DescribedHandlers(Protocol):
    """Handlers that say what a worker would publish about them."""

    def describe(self, handler: str) -> Mapping[str, Any]:
        """Return the entry of a handler in `GET /handlers`, or a part of it."""


class Report(Protocol):
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


@runtime_checkable
class AttemptEnd(Protocol):
    """How an attempt ended, by the rules of the handler's worker."""

    @property
    def outcome(self) -> str:
        """`succeeded`, `failed` or `timed_out`."""

    @property
    def result(self) -> Any:
        """The result as JSON, if it succeeded."""

    @property
    def error_type(self) -> str | None:
        """The class of the error, if it failed."""

    @property
    def error_message(self) -> str | None:
        """The text of the error, if it failed."""

    @property
    def traceback(self) -> str | None:
        """The traceback of the error, if there is one."""

    @property
    def backoff_seconds(self) -> float | None:
        """Seconds until the next try; None if none follows."""

    @property
    def progress(self) -> Sequence[Report]:
        """What was reported, in that order."""
