# Made by tools/make_blocking_client.py from _async_waits.py, so change that file.
"""The operations of the blocking client that wait, and the operations on many tasks."""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeVar, Unpack, overload

from typing_extensions import TypeForm

from taskq_client._channels import BlockingChannel, finish, iterate
from taskq_client._core import Core
from taskq_client._sync_handles import TaskHandle
from taskq_client.models import Duration, NewTask, Progress, Task, TaskLike, TaskOptions

T = TypeVar("T")


class BlockingWaits:
    """Operations that take longer than a request."""

    __slots__ = ("_core", "_channel")  # noqa: RUF023 - pickled first, the core refuses

    _core: Core
    _channel: BlockingChannel

    def wait(
        self,
        task: TaskLike,
        timeout: Duration | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Task:
        """Wait until a task has ended, in whatever status, and return it.

        Requests are repeated until the deadline, also while the server is away.

        Args:
            task: The task, a handle or its id.
            timeout: Seconds, or a timedelta, to wait; 0 looks once. Default: as long as it takes.
            on_progress: Called with the progress of the task when it changes; quick changes may be
                skipped. Only an AsyncTaskqClient takes a coroutine function.

        Raises:
            WaitTimeout: The task has not ended in time and goes on; the error carries a snapshot.
            NotFound: There is no such task.
            TaskqConnectionError: No server has ever answered, and only the id of the task is known.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.waits.wait(task, timeout, on_progress))

    @overload
    def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: None = None,
        timeout: Duration | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Any: ...

    @overload
    def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: TypeForm[T],
        timeout: Duration | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> T: ...

    def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        returns: TypeForm[T] | None = None,
        timeout: Duration | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> T | Any:
        """Submit a task, wait until it has ended and return its result.

        Args:
            handler: Name of the function that does the work, as a worker has published it.
            payload: The arguments of the handler, names and JSON values. Default: none.
            returns: The type to read the result as, any that pydantic knows. Default: plain JSON.
            timeout: Seconds, or a timedelta, to wait after the submit. Default: as long as it
                takes.
            on_progress: Called with the progress of the task when it changes; quick changes may be
                skipped. Only an AsyncTaskqClient takes a coroutine function.
            idempotency_key: As for `submit`.
            traceparent: As for `submit`.
            **options: As for `submit`.

        Raises:
            TaskFailed: The task failed; the error carries it.
            TaskCancelled: The task was cancelled; the error carries it.
            UnexpectedResult: The result is not of the type `returns`; the error carries the task.
            WaitTimeout: The task has not ended in time and goes on; the error carries a snapshot.
            InvalidRequest: A value cannot be sent.
            ValidationFailed: As for `submit`.
            UniqueConflict: As for `submit`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(
            self._core.runs.run(
                handler,
                payload,
                timeout,
                idempotency_key,
                options,
                returns,
                on_progress,
                traceparent,
            )
        )

    def stream(
        self, task: TaskLike, timeout: Duration | None = None
    ) -> Generator[Task, None, None]:
        """Iterate over the states of a task: the present one, then each change, up to its end.

        Changes in quick succession may come as one; the final state always comes. A new connection
        goes on where a broken one stopped.

        Args:
            task: The task, a handle or its id.
            timeout: Seconds, or a timedelta, to follow the task. Default: as long as it takes.

        Raises:
            WaitTimeout: The task has not ended in time and goes on; the error carries a snapshot.
            NotFound: There is no such task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return iterate(self._core.waits.stream(task, timeout))

    def wait_all(self, tasks: Iterable[TaskLike], timeout: Duration | None = None) -> list[Task]:
        """Wait until all tasks have ended and return them in the order given.

        Args:
            tasks: Tasks, handles or ids.
            timeout: Seconds, or a timedelta, to wait for all tasks. Default: as long as it takes.

        Raises:
            WaitTimeout: Not all tasks have ended in time; the error carries one that has not.
            NotFound: One of the tasks does not exist.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.waits.wait_all(tasks, timeout))

    def as_completed(
        self, tasks: Iterable[TaskLike], timeout: Duration | None = None
    ) -> Generator[Task, None, None]:
        """Iterate over tasks in the order of their ends; each task comes once.

        One request at a time waits for up to 1,000 tasks, and for each thousand in turn.

        Args:
            tasks: Tasks, handles or ids.
            timeout: Seconds, or a timedelta, to wait for all tasks. Default: as long as it takes.

        Raises:
            WaitTimeout: Not all tasks have ended in time; the error carries one that has not.
            NotFound: One of the tasks does not exist.
            TaskqError: The server refused, failed or could not be reached.
        """
        return iterate(self._core.waits.as_completed(tasks, timeout))

    def submit_many(
        self,
        items: Iterable[NewTask | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        on_stored: Callable[[int], object] | None = None,
    ) -> list[TaskHandle]:
        """Submit many tasks in few requests and return their handles in the same order.

        A batch has up to 1,000 tasks and 8 MiB, is taken from `items` when it is sent, and is
        stored as a whole or not at all. Two batches are under way at a time. If one is refused, the
        batches before it are stored, and perhaps the one after it. The same call with the same key
        goes on where the first one stopped and repeats nothing.

        Of items with one unique key the first becomes a task, whose handle stands for all of them.

        Args:
            items: Mappings with `handler`, `payload` and the options of `submit`.
            idempotency_key: 1 to 240 printable ASCII characters, from which the keys of batches
                are derived. Default: a fresh one.
            traceparent: As for `submit`.
            on_stored: Called after each batch with the number of tasks stored so far.
                Only an AsyncTaskqClient takes a coroutine function.

        Raises:
            InvalidRequest: A value cannot be sent; the batches before its own are stored.
            ValidationFailed: The server refused an item; `errors` points into its batch.
            UniqueConflict: Another task has the unique key of an item whose `on_conflict` is
                `reject`; `errors` points into its batch.
            TaskqError: The server refused, failed or could not be reached.
        """
        found = finish(self._core.bulk.submit_many(items, idempotency_key, on_stored, traceparent))
        return [TaskHandle(self._core, one.task, conflict=one.conflict) for one in found]

    def map(
        self,
        handler: str,
        payloads: Iterable[Mapping[str, object] | None],
        *,
        timeout: Duration | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Generator[Task, None, None]:
        """Run a handler for each of many payloads and iterate over the tasks as they end.

        Payloads are taken as needed: up to 1,000 tasks are under way at a time, so memory does not
        grow with their number. Failed and cancelled tasks come too, so look at the `status`. Two
        payloads with one unique key may be one task, which then comes once, or twice.

        Args:
            handler: Name of the function that does the work.
            payloads: The payload of each task; may be endless, if the caller stops iterating.
            timeout: Seconds, or a timedelta, for all tasks together. Default: as long as it takes.
            idempotency_key: As for `submit_many`.
            traceparent: As for `submit`.
            **options: As for `submit`, the same for every task.

        Raises:
            WaitTimeout: Not all tasks have ended in time; the error carries one that has not.
            ValidationFailed: The server refused a payload; `errors` points into its batch.
            TaskqError: The server refused, failed or could not be reached.
        """
        return iterate(
            self._core.bulk.map(handler, payloads, timeout, idempotency_key, options, traceparent)
        )
