# Made by tools/make_blocking_client.py from _async.py, so change that file.
"""The blocking client: a signature and a docstring for each operation of the core."""

import builtins
from collections.abc import Generator, Mapping
from copy import copy
from types import TracebackType
from typing import Self, TypeVar, Unpack, overload

from typing_extensions import TypeForm

from taskq_client._channels import BlockingChannel, finish, iterate
from taskq_client._core import Core
from taskq_client._inputs import SecretText, UrlObject, reader
from taskq_client._sender import RetryingSender
from taskq_client._settings import Secret, positive, read_settings, read_timeout
from taskq_client._sync_handles import TaskHandle
from taskq_client._sync_operations import Operations
from taskq_client._sync_queues import Queues
from taskq_client._sync_schedules import Schedules
from taskq_client.models import (
    Attempt,
    Duration,
    ListFilters,
    Task,
    TaskChanges,
    TaskLike,
    TaskOptions,
)
from taskq_client.retry import RetryPolicy

T = TypeVar("T")


class TaskqClient(Operations):
    """A client that blocks; safe to share between threads.

    Use it in a `with` statement, or call `close` when done.
    """

    __slots__ = ()

    def __init__(
        self,
        url: str | UrlObject | None = None,
        *,
        api_key: str | SecretText | None = None,
        timeout: Duration | None = None,
        max_retries: int = 2,
        deadline: Duration = 120.0,
        namespace: str | None = None,
        transport: object = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: The url of the server, text or a URL object. Default: TASKQ_URL, else
                http://127.0.0.1:8000.
            api_key: The key that the server wants, text or a SecretStr. Default: TASKQ_API_KEY,
                else none.
            timeout: Seconds, or a timedelta, one request may take, over 0 and up to a week. A wait
                has its own deadline. Default: TASKQ_TIMEOUT, else 10.
            max_retries: How often a request is sent again when the connection breaks or the server
                is busy, 0 or more.
            deadline: Seconds, or a timedelta, a call may take with all its tries and the pauses
                between them, over 0 and up to a week. A wait has its own.
            namespace: The namespace that the calls are about, 1 to 64 characters; only the key of
                an operator, which belongs to none, needs it. Default: that of the key.
            transport: An httpx transport to use instead of the network.

        Raises:
            ConfigurationError: An argument, or a variable of the environment, cannot be used.
        """
        server, secret = Secret(url), Secret(api_key)
        del url, api_key  # before anything can raise: tools show the variables of a traceback
        self._channel = BlockingChannel(read_settings(server, secret, namespace), transport)
        sender = RetryingSender(
            self._channel,
            RetryPolicy(max_retries),
            read_timeout(timeout),
            clock=self._channel.clock,
            deadline=positive("deadline", deadline),
        )
        self._core = Core(sender)

    def __repr__(self) -> str:
        core = getattr(self, "_core", None)
        if core is None:
            return f"<{type(self).__name__} that could not be made>"
        settings = self._channel.settings
        named = f"namespace={settings.namespace!r}, " if settings.namespace else ""
        return (
            f"{type(self).__name__}({settings.url!r}, {named}"
            f"timeout={core.sender.timeout:g}, max_retries={core.sender.policy.max_retries}, "
            f"deadline={core.sender.deadline:g})"
        )

    def with_options(
        self,
        *,
        timeout: Duration | None = None,
        max_retries: int | None = None,
        deadline: Duration | None = None,
    ) -> Self:
        """Make a copy of this client with other options, on the same connections.

        Closing one client closes both.

        Args:
            timeout: Seconds one request may take, over 0. Default: as in this client.
            max_retries: How often a request is sent again, 0 or more. Default: as in this client.
            deadline: Seconds a call may take, over 0. Default: as in this client.

        Raises:
            ConfigurationError: An option cannot be used.
        """
        other = copy(self)
        other._core = self._core.with_options(timeout, max_retries, deadline)
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._channel.close()

    @property
    def queues(self) -> Queues:
        """The queues of the server: list, pause and resume them."""
        return Queues(self._core)

    @property
    def schedules(self) -> Schedules:
        """The schedules of the server: set, read, pause, resume, fire and delete them."""
        return Schedules(self._core)

    @overload
    def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskHandle: ...

    @overload
    def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: TypeForm[T],
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskHandle[T]: ...

    def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: TypeForm[T] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskHandle[T] | TaskHandle:
        """Submit a task and return a handle of the stored task, without waiting for its end.

        Args:
            handler: Name of the function that does the work, as a worker has published it.
            payload: The arguments of the handler, names and JSON values. Default: none.
            returns: The type that `result` of the handle reads the result as, any that pydantic
                knows. Default: plain JSON.
            idempotency_key: 1 to 255 printable ASCII characters; the same submit twice with one key
                is one task. Default: a fresh one, for all the tries of this call.
            traceparent: The W3C trace context that the task belongs to; one that is not valid is
                ignored. Default: that of the current span of OpenTelemetry, if there is one.
            **options: Any of these; None stands for the default, of the handler or of the server.
                title: The name of the task in lists. Default: the name of the handler.
                description: More about the task.
                priority: `low`, `normal`, `high` or `urgent`. Default: that of the handler.
                tags: Up to 32 words to filter by, each up to 64 characters. Default: those of the
                    handler; an empty list means none.
                queue: The queue whose workers run the task. Default: that of the handler.
                run_at: The earliest start, a datetime with a zone; exclusive with
                    `delay_seconds`.
                delay_seconds: Seconds, or a timedelta, from now to the earliest start.
                timeout_seconds: Seconds, or a timedelta, one try may run, up to 24 hours.
                max_retries: Tries after the first one, 0 to 100.
                backoff_base_seconds: Bound of the pause before the first retry; it doubles.
                backoff_max_seconds: Bound of every such pause.
                keep_seconds: Seconds, or a timedelta, for which the task is kept after its end, at
                    least 1; whoever waits has to have read it by then.
                unique_key: 1 to 128 characters without a space at their ends. While a task with the
                    same one waits or runs, no other is stored; see `conflict` of the handle.
                    Default: what the handler finds in the payload, mostly none.
                on_conflict: What happens then. `return`, the default: that task is returned.
                    `replace`: it gets this payload and start if it still waits. `reject`: an error.

        Raises:
            InvalidRequest: A value cannot be sent.
            UnknownHandler: No worker has published the handler.
            ValidationFailed: The payload does not fit the handler, or an option its bounds.
            IdempotencyMismatch: The key was used for another task.
            UniqueConflict: Another task has the unique key, and `on_conflict` is `reject`.
            TaskqError: The server refused, failed or could not be reached.
        """
        result_type = reader("returns", returns)
        found = finish(
            self._core.tasks.submit(handler, payload, idempotency_key, options, traceparent)
        )
        return TaskHandle(self._core, found.task, result_type, conflict=found.conflict)

    def get(self, task: TaskLike) -> Task:
        """Fetch a task as it is now.

        Args:
            task: The task, a handle or its id.

        Raises:
            NotFound: There is no such task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.get(task))

    def list(self, **filters: Unpack[ListFilters]) -> Generator[Task, None, None]:
        """Iterate over the tasks that pass every filter, fetching page after page as needed.

        The items leave out `payload`, `result`, `errors`, `keep_seconds` and `unique_key`, which
        `get` returns.

        Args:
            **filters: Any of these; None sets no filter.
                status: One status or several, of which a task has one.
                priority: One priority or several, of which a task has one.
                tag: One tag or several, of which a task has all.
                handler: Name of the handler, or several, of which a task has one.
                queue: Name of the queue, or several, of which a task has one.
                error_type: Failed or retrying because of an error of this type, by its name.
                attempt_min: This many attempts or more, one under way included; 1 or more.
                created_after: Created at this time or later, a datetime with a zone.
                created_before: Created before this time, a datetime with a zone.
                finished_after: Final since this time or later, a datetime with a zone.
                finished_before: Final since before this time, a datetime with a zone.
                schedule: Fired by the schedule of this name.
                q: The beginning of the title.
                id: The beginning of the id, in lower case.
                order: `-created_at`, newest first, which is the default, or `created_at`.
                limit: Tasks a page, 1 to 200; the number of pages has no limit.

        Raises:
            InvalidRequest: A filter cannot be sent.
            ValidationFailed: A filter is not known to the server, or out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        return iterate(self._core.tasks.list(filters))

    def update(
        self, task: TaskLike, *, if_match: int | None = None, **changes: Unpack[TaskChanges]
    ) -> Task:
        """Change some fields of a task and return it as stored.

        Args:
            task: The task, a handle or its id.
            if_match: The `version` that the task must still have. If the answer to the first try is
                lost, the second try may find the change of the first, and be refused.
            **changes: Any of these; None resets a field, mostly to what the handler says, and an
                absent field stays.
                title: At any time.
                description: At any time.
                tags: At any time; the new tags replace the old ones.
                priority: Until the task has ended.
                max_retries: Until the task has ended.
                timeout_seconds: Until the task has ended.
                run_at: While the task is queued or retrying; None means now.

        Raises:
            InvalidRequest: A value cannot be sent.
            NotFound: There is no such task.
            InvalidTransition: The task's status does not allow the change.
            PreconditionFailed: The task is no longer the version of `if_match`.
            ValidationFailed: A value is out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.update(task, if_match, changes))

    def delete(self, task: TaskLike) -> None:
        """Delete a task and all its attempts.

        Args:
            task: The task, a handle or its id.

        Raises:
            NotFound: There is no such task.
            Conflict: The task is running; cancel it first.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.delete(task))

    def cancel(self, task: TaskLike) -> Task:
        """Ask for a task to be cancelled and return it as it is now.

        A waiting task is cancelled at once. A running task is told to stop, and `wait` returns when
        it has stopped.

        Args:
            task: The task, a handle or its id.

        Raises:
            NotFound: There is no such task.
            InvalidTransition: The task has succeeded or failed already.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.cancel(task))

    def retry(self, task: TaskLike) -> Task:
        """Queue a failed or cancelled task again, with all its retries, and return it.

        Args:
            task: The task, a handle or its id.

        Raises:
            NotFound: There is no such task.
            InvalidTransition: The task has not failed and was not cancelled. A second try is also
                refused, if the answer to the first was lost and the task is queued already.
            UniqueConflict: Another task has its unique key by now.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.retry(task))

    def attempts(self, task: TaskLike) -> builtins.list[Attempt]:
        """Fetch the ended tries of a task, the first one first.

        Args:
            task: The task, a handle or its id.

        Raises:
            NotFound: There is no such task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.tasks.attempts(task))
