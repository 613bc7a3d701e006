"""The handle of a submitted task, for the asyncio client."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Generic, overload

from pydantic import TypeAdapter
from typing_extensions import TypeForm, TypeVar

from taskq_client._core import Core
from taskq_client._inputs import reader
from taskq_client._runs import result_of
from taskq_client.models import Duration, Progress, Task, _TaskFields

T = TypeVar("T")
ResultT = TypeVar("ResultT", default=Any)


class AsyncTaskHandle(_TaskFields, Generic[ResultT]):
    """A submitted task, and the operations of its client on it.

    `AsyncTaskHandle[Report]` is the handle of a task that was submitted with `returns=Report`.

    The fields are those of the last snapshot, `task`, which every method brings up to date. `task`
    is plain data, to pickle or to keep.

    Attributes:
        conflict: Whether the submit stored no task, because this one has its unique key. If the key
            of the client may not read it, only `id` and `status` are filled in. None if the server
            says it only of the batch, and any of several items may be meant.
    """

    def __init__(
        self,
        core: Core,
        task: Task,
        result_type: TypeAdapter[Any] | None = None,
        *,
        conflict: bool | None = False,
    ) -> None:
        self._core = core
        self._result_type = result_type
        self.task = task
        self.conflict = conflict

    async def refresh(self) -> Task:
        """Fetch the task as it is now; raise as `get` does."""
        self.task = await self._core.tasks.get(self)
        return self.task

    async def wait(
        self,
        timeout: Duration | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Task:
        """Wait until the task has ended, in whatever status; as `wait` of the client.

        Args:
            timeout: Seconds, or a timedelta, to wait; 0 looks once. Default: as long as it takes.
            on_progress: Called with the progress of the task when it changes; quick changes may be
                skipped. Only an AsyncTaskqClient takes a coroutine function.
        """
        self.task = await self._core.waits.wait(self, timeout, on_progress)
        return self.task

    @overload
    async def result(self, *, type_: None = None, timeout: Duration | None = None) -> ResultT: ...
    @overload
    async def result(self, *, type_: TypeForm[T], timeout: Duration | None = None) -> T: ...

    async def result(
        self, *, type_: TypeForm[T] | None = None, timeout: Duration | None = None
    ) -> T | Any:
        """Wait until the task has ended and return its result, or raise how it ended; as `run`.

        Args:
            type_: The type to read the result as, any that pydantic knows. Default: `returns` of
                the submit, else plain JSON.
            timeout: Seconds to wait, or a timedelta. Default: as long as it takes.
        """
        result_type = self._result_type if type_ is None else reader("type_", type_)
        return result_of(await self.wait(timeout), result_type)

    async def stream(self, timeout: Duration | None = None) -> AsyncGenerator[Task, None]:
        """Iterate over the states of the task up to its end; as `stream` of the client.

        Args:
            timeout: Seconds, or a timedelta, to follow the task. Default: as long as it takes.
        """
        async with aclosing(self._core.waits.stream(self, timeout)) as states:
            async for task in states:
                self.task = task
                yield task

    async def cancel(self) -> Task:
        """Cancel the task, or tell it to stop; raise as `cancel` of the client does."""
        self.task = await self._core.tasks.cancel(self)
        return self.task

    async def retry(self) -> Task:
        """Queue the failed or cancelled task again; raise as `retry` of the client does."""
        self.task = await self._core.tasks.retry(self)
        return self.task
