"""The asyncio client: a signature and a docstring for each operation of the core."""

import builtins
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, Unpack

from taskq_client._channels import AsyncChannel
from taskq_client._core import Core, Pages
from taskq_client.models import (
    Attempt,
    Handler,
    Health,
    ListFilters,
    NewTask,
    Tag,
    Task,
    TaskChanges,
    TaskOptions,
)
from taskq_client.retry import RetryPolicy


class AsyncTaskqClient:
    """A client to await; safe to share between the tasks of one event loop.

    Use it in an `async with` statement, or await `aclose` when done.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = 10.0,
        max_retries: int = 2,
        transport: object = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: Where the server is. Default: TASKQ_URL, else http://127.0.0.1:8000.
            timeout: Seconds one request may take, over 0. A wait has its own deadline.
            max_retries: How often a request is sent again when the connection breaks or the server
                is busy, 0 or more.
            transport: An httpx transport to use instead of the network.

        Raises:
            ConfigurationError: An argument, or a variable of the environment, cannot be used.
        """
        self._channel = AsyncChannel(url, transport)
        self._core = Core(self._channel, RetryPolicy(max_retries), timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        await self._channel.aclose()

    async def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Task:
        """Submit a task and return it as stored, without waiting for its end.

        Args:
            handler: Name of the function that does the work, as a worker has published it.
            payload: What the handler gets: names and JSON values. Default: none.
            idempotency_key: 1 to 255 printable ASCII characters; the same submit twice with one key
                is one task. Default: a fresh one, for all the tries of this call.
            **options: Any of these; None means the server's default.
                title: What people read in lists. Default: the handler's name.
                description: More about it.
                priority: `low`, `normal`, `high` or `urgent`.
                tags: Up to 32 words to filter by, each up to 64 characters.
                queue: The lane of workers to use.
                run_at: Not before this time, a datetime with a zone; or else
                    `delay_seconds`.
                delay_seconds: Not before so many seconds, or a timedelta, from now.
                timeout_seconds: How long one try may run, up to 24 hours.
                max_retries: Tries after the first one, 0 to 100.
                backoff_base_seconds: Bound of the pause before the first retry; it doubles.
                backoff_max_seconds: Bound of every such pause.

        Raises:
            InvalidRequest: A value cannot be sent.
            UnknownHandler: No worker has published the handler.
            ValidationFailed: The payload does not fit the handler, or an option its bounds.
            IdempotencyMismatch: The key was used for another task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.submit(handler, payload, idempotency_key, options)

    async def submit_many(
        self,
        items: Iterable[NewTask | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> builtins.list[Task]:
        """Submit many tasks in few requests and return them in the same order.

        All items are encoded before the first request. They go in batches of up to 1,000 tasks and
        8 MiB, one after the other. Each batch is all or nothing; if one is refused, those before it
        are stored. The same call with the same key goes on where it stopped and repeats nothing.

        Args:
            items: Mappings with `handler`, `payload` and the options of `submit`.
            idempotency_key: 1 to 240 printable ASCII characters, from which each batch derives its
                own. Default: a fresh one.

        Raises:
            InvalidRequest: A value cannot be sent; nothing was.
            ValidationFailed: An item is refused; `errors` points into its batch.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.submit_many(items, idempotency_key)

    async def get(self, task: Task | str) -> Task:
        """Fetch a task as it is now.

        Args:
            task: The task or its id.

        Raises:
            NotFound: There is no such task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.get(task)

    async def list(self, **filters: Unpack[ListFilters]) -> AsyncIterator[Task]:
        """Iterate over the tasks that pass every filter, fetching page after page as needed.

        The items leave out `payload`, `result` and `errors`; `get` has them.

        Args:
            **filters: Any of these; None is the same as absent.
                status: One status or several, any of which will do.
                priority: One priority or several, any of which will do.
                tag: One tag or several, all of which are needed.
                handler: Name of the handler.
                queue: Name of the queue.
                created_after: A datetime with a time zone.
                created_before: A datetime with a time zone.
                q: How the title begins.
                order: `-created_at`, newest first, which is the default, or `created_at`.
                limit: Tasks a page, 1 to 200; it does not limit how many come in all.

        Raises:
            InvalidRequest: A filter cannot be sent.
            ValidationFailed: A filter is not known to the server, or out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        pages = Pages(self._core, filters)
        while (tasks := await pages.next()) is not None:
            for task in tasks:
                yield task

    async def update(
        self, task: Task | str, *, if_match: int | None = None, **changes: Unpack[TaskChanges]
    ) -> Task:
        """Change some fields of a task and return it as stored.

        Args:
            task: The task or its id.
            if_match: Change it only if this is still its `version`. If the answer to the first try
                is lost, the second may find its own change and be refused.
            **changes: Any of these; None resets a field, an absent one stays.
                title: At any time.
                description: At any time.
                tags: At any time; replaces all of them.
                priority: Until the task has ended.
                max_retries: Until the task has ended.
                timeout_seconds: Until the task has ended.
                run_at: While it is queued or retrying; None means now.

        Raises:
            InvalidRequest: A value cannot be sent.
            NotFound: There is no such task.
            InvalidTransition: The task's status does not allow the change.
            PreconditionFailed: The task is no longer the version of `if_match`.
            ValidationFailed: A value is out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.update(task, if_match, changes)

    async def delete(self, task: Task | str) -> None:
        """Delete a task and all its attempts.

        Args:
            task: The task or its id.

        Raises:
            NotFound: There is no such task.
            Conflict: It is running; cancel it first.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.delete(task)

    async def cancel(self, task: Task | str) -> Task:
        """Ask for a task to be cancelled and return it as it is now.

        One that waits is cancelled at once; one that runs is told to stop, and `wait` tells when
        it has.

        Args:
            task: The task or its id.

        Raises:
            NotFound: There is no such task.
            InvalidTransition: It has succeeded or failed already.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.cancel(task)

    async def retry(self, task: Task | str) -> Task:
        """Queue a failed or cancelled task again, with all its retries, and return it.

        Args:
            task: The task or its id.

        Raises:
            NotFound: There is no such task.
            InvalidTransition: It has not failed and was not cancelled; also if the answer to a
                first try was lost and it is queued already.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.retry(task)

    async def wait(self, task: Task | str, timeout: float | None = None) -> Task:
        """Wait until a task has ended and return it, whatever its end.

        A server that goes away meanwhile is asked again until the deadline.

        Args:
            task: The task or its id.
            timeout: Seconds to wait, 0 or more; 0 looks once. Default: as long as it takes.

        Raises:
            WaitTimeout: It has not ended in time; it goes on, and the error carries a snapshot.
            NotFound: There is no such task.
            TaskqConnectionError: Nothing has answered at all, and only the id is known.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.wait(task, timeout)

    async def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Any:
        """Submit a task, wait until it has ended and return its result.

        Args:
            handler: Name of the function that does the work, as a worker has published it.
            payload: What the handler gets: names and JSON values. Default: none.
            timeout: Seconds to wait once it is submitted, 0 or more. Default: as long as it takes.
            idempotency_key: As for `submit`.
            **options: As for `submit`.

        Raises:
            TaskFailed: The task failed; the error carries it.
            TaskCancelled: The task was cancelled; the error carries it.
            WaitTimeout: It has not ended in time; it goes on, and the error carries a snapshot.
            InvalidRequest: A value cannot be sent.
            ValidationFailed: As for `submit`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.run(handler, payload, timeout, idempotency_key, options)

    async def attempts(self, task: Task | str) -> builtins.list[Attempt]:
        """Fetch the ended tries of a task, the first one first.

        Args:
            task: The task or its id.

        Raises:
            NotFound: There is no such task.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.attempts(task)

    async def handlers(self) -> builtins.list[Handler]:
        """Fetch the handlers that workers have published.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.handlers()

    async def tags(self) -> builtins.list[Tag]:
        """Fetch the tags and how many tasks carry each.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.tags()

    async def health(self) -> Health:
        """Ask whether the server is ready for work; one that says no is an answer, not an error.

        Raises:
            TaskqConnectionError: Nothing answers at the url.
            TaskqTimeout: No answer came in time.
        """
        return await self._core.health()
