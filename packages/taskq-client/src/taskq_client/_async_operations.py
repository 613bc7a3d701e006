"""The bulk operations of the asyncio client, and the handle of one."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, Unpack, overload

from taskq_client._async_service import AsyncService
from taskq_client._core import Core
from taskq_client.bulk import (
    BulkAction,
    BulkChanges,
    BulkCount,
    BulkOperation,
    BulkState,
    TaskFilters,
)
from taskq_client.models import Duration


class AsyncBulk:
    """A bulk operation, and what can be done with it.

    The properties are those of the last snapshot, `operation`, which every method brings up to
    date. `operation` is plain data, to pickle or to keep.
    """

    def __init__(self, core: Core, operation: BulkOperation) -> None:
        self._core = core
        self.operation = operation

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.action} {self.state}>"

    @property
    def id(self) -> str:
        """The id of the operation."""
        return self.operation.id

    @property
    def action(self) -> str:
        """What happens to each task."""
        return self.operation.action

    @property
    def filter(self) -> dict[str, Any]:
        """Which tasks."""
        return self.operation.filter

    @property
    def state(self) -> BulkState | str:
        """How far it is: `running`, `succeeded` or `stopped`."""
        return self.operation.state

    @property
    def final(self) -> bool:
        """Whether it has ended or was stopped."""
        return self.operation.final

    @property
    def matched(self) -> int:
        """The tasks found so far: the sum of `done`, `skipped` and `failed`."""
        return self.operation.matched

    @property
    def done(self) -> int:
        """The tasks that were changed or deleted."""
        return self.operation.done

    @property
    def skipped(self) -> int:
        """The tasks that the action no longer fitted, or whose unique key another task has."""
        return self.operation.skipped

    @property
    def failed(self) -> int:
        """The tasks for which there was no room among those that wait."""
        return self.operation.failed

    @property
    def created_at(self) -> datetime:
        """When it began; it leaves tasks alone that came later."""
        return self.operation.created_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended, or was stopped."""
        return self.operation.finished_at

    async def refresh(self) -> BulkOperation:
        """Fetch the operation as it is now.

        Raises:
            NotFound: The operation has ended long ago.
            TaskqError: The server refused, failed or could not be reached.
        """
        self.operation = await self._core.operations.get(self.operation)
        return self.operation

    async def wait(
        self,
        timeout: Duration | None = None,
        *,
        on_progress: Callable[[BulkOperation], object] | None = None,
    ) -> BulkOperation:
        """Wait until the operation has ended or was stopped, and return it.

        Outages of the server are waited out.

        Args:
            timeout: Seconds, or a timedelta, to wait; 0 looks once. Default: as long as it takes.
            on_progress: Called with the operation when it has come further. Only an
                AsyncTaskqClient takes a coroutine function.

        Raises:
            BulkTimeout: The time is up; the operation goes on.
            NotFound: The operation has ended long ago.
            TaskqError: The server refused.
        """
        self.operation = await self._core.operations.wait(self.operation, timeout, on_progress)
        return self.operation

    async def stop(self) -> BulkOperation:
        """Stop the operation after the batch under way; one that has ended stays as it is.

        Raises:
            NotFound: The operation has ended long ago.
            PermissionDenied: The key has not the scope `tasks:operate`.
            TaskqError: The server refused, failed or could not be reached.
        """
        self.operation = await self._core.operations.stop(self.operation)
        return self.operation


class AsyncOperations(AsyncService):
    """Operations on all tasks that a filter finds."""

    __slots__ = ()

    @overload
    async def bulk(
        self,
        action: BulkAction,
        *,
        dry_run: Literal[False] = False,
        changes: BulkChanges | None = None,
        limit: int | None = None,
        idempotency_key: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> AsyncBulk: ...

    @overload
    async def bulk(
        self,
        action: BulkAction,
        *,
        dry_run: Literal[True],
        changes: BulkChanges | None = None,
        limit: int | None = None,
        idempotency_key: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> BulkCount: ...

    @overload
    async def bulk(
        self,
        action: BulkAction,
        *,
        dry_run: bool,
        changes: BulkChanges | None = None,
        limit: int | None = None,
        idempotency_key: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> AsyncBulk | BulkCount: ...

    async def bulk(
        self,
        action: BulkAction,
        *,
        dry_run: bool = False,
        changes: BulkChanges | None = None,
        limit: int | None = None,
        idempotency_key: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> AsyncBulk | BulkCount:
        """Begin to retry, cancel, delete or update all tasks that a filter finds.

        The server goes on by itself, over the tasks that are there now, in the order of their
        making. A task that no longer passes the filter, or whose status does not allow the action,
        is skipped, and so is one that ends after the operation began.

        Args:
            action: `retry`, `cancel`, `delete` or `update`.
            dry_run: Count the tasks instead, within a second, and do nothing.
            changes: The changes of an update: `priority`, `max_retries`, `timeout_seconds` or
                `run_at`, of which None means now.
            limit: The most tasks that the operation looks at, 1 to 1,000,000. Default: 100,000.
            idempotency_key: 1 to 255 printable ASCII characters; the same call twice with one key
                is one operation. Default: a fresh one, for all the tries of this call.
            **filters: At least one of those of `list`, without `order` and `limit`.

        Returns:
            A handle of the operation, or the count of a dry run.

        Raises:
            InvalidRequest: A value cannot be sent, or there is no filter.
            PermissionDenied: The key has not the scopes that the action needs.
            Conflict: Too many bulk operations run.
            IdempotencyMismatch: The key was used for another operation.
            ValidationFailed: A filter or a change is not known to the server, or out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        if dry_run:
            return await self._core.operations.count(action, filters, changes, limit)
        operation = await self._core.operations.begin(
            action, filters, changes, limit, idempotency_key
        )
        return AsyncBulk(self._core, operation)

    async def bulk_operation(self, operation: str | BulkOperation | AsyncBulk) -> AsyncBulk:
        """Fetch a bulk operation, to follow or to stop it.

        Args:
            operation: The operation, a handle or its id.

        Raises:
            NotFound: There is no such operation.
            TaskqError: The server refused, failed or could not be reached.
        """
        return AsyncBulk(self._core, await self._core.operations.get(operation))

    async def bulk_operations(
        self, state: BulkState | str | Iterable[BulkState | str] | None = None
    ) -> AsyncGenerator[AsyncBulk, None]:
        """Iterate over the bulk operations, the newest first, fetching pages as needed.

        Args:
            state: One state or several, of which an operation has one. Default: all.

        Raises:
            ValidationFailed: A state is not known to the server.
            TaskqError: The server refused, failed or could not be reached.
        """
        async with aclosing(self._core.operations.list(state)) as operations:
            async for operation in operations:
                yield AsyncBulk(self._core, operation)
