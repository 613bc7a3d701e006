"""Waiting until tasks are final: a subscription, plus a re-read. No connection is held."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from taskq_server.broker.notifier import Notifier
from taskq_server.domain.caller import Caller
from taskq_server.domain.task import TaskDetails
from taskq_server.services.read import ReadService

MOST_BYTES = 4_194_304
"""Rough limit of the results in one answer to a wait for several tasks, in bytes."""

_READ_AT_ONCE = 50
_Read = Callable[[Caller, UUID], Awaitable[TaskDetails]]


class WaitService:
    """Wait for tasks.

    Args:
        read: reads a task; the re-reads of many waiters share one transaction.
        notifier: delivers the ids of changed tasks.
        poll_seconds: time between two reads without a message, because Redis may be away.
    """

    def __init__(self, read: ReadService, notifier: Notifier, poll_seconds: float) -> None:
        self._read = read
        self._notifier = notifier
        self._poll_seconds = poll_seconds
        self._draining = False

    @property
    def is_draining(self) -> bool:
        """Whether this process is stopping."""
        return self._draining

    def drain(self) -> None:
        """Answer all waiters now, as if their time were up, because this process is stopping."""
        self._draining = True
        self._notifier.wake_all()

    async def one(self, caller: Caller, task_id: UUID, seconds: float) -> TaskDetails:
        """Return a task as soon as it is final, or as it is when the time is up.

        Args:
            caller: of the task's namespace.
            task_id: the task.
            seconds: longest time to wait.

        Raises:
            TaskNotFound: the task does not exist (any more), or the caller does not see it.
        """
        return await self._until_final(caller, task_id, seconds, self._read.get)

    async def submitted(self, caller: Caller, task_id: UUID, seconds: float) -> TaskDetails:
        """Return a task that the caller has just submitted, as `one` does.

        If another caller has submitted it before, this one may get its outline.
        """
        return await self._until_final(caller, task_id, seconds, self._read.shown)

    async def _until_final(
        self, caller: Caller, task_id: UUID, seconds: float, read: _Read
    ) -> TaskDetails:
        deadline = asyncio.get_running_loop().time() + seconds
        with self._notifier.subscribe(caller.namespace, [task_id]) as subscription:
            while True:
                details = await read(caller, task_id)
                left = deadline - asyncio.get_running_loop().time()
                if details.task.status.final or left <= 0 or self._draining:
                    return details
                await subscription.news(min(left, self._poll_seconds))

    async def any(
        self, caller: Caller, task_ids: Sequence[UUID], seconds: float
    ) -> list[TaskDetails]:
        """Return the final tasks among some, as soon as there is one.

        Once the results have `MOST_BYTES` together, the other tasks are left for another call.

        Args:
            caller: of the tasks' namespace.
            task_ids: the tasks.
            seconds: longest time to wait; after that the answer is empty.

        Raises:
            TaskNotFound: a task does not exist, or the caller does not see it.
        """
        wanted = list(dict.fromkeys(task_ids))
        deadline = asyncio.get_running_loop().time() + seconds
        with self._notifier.subscribe(caller.namespace, wanted) as subscription:
            stale = set(wanted)
            while True:
                final = await self._final(caller, [each for each in wanted if each in stale])
                left = deadline - asyncio.get_running_loop().time()
                if final or left <= 0 or self._draining:
                    return final
                stale = await subscription.news(min(left, self._poll_seconds)) or set(wanted)

    async def _final(self, caller: Caller, task_ids: Sequence[UUID]) -> list[TaskDetails]:
        final: list[TaskDetails] = []
        size = 0
        for start in range(0, len(task_ids), _READ_AT_ONCE):
            part = task_ids[start : start + _READ_AT_ONCE]
            found = await asyncio.gather(*(self._read.get(caller, each) for each in part))
            final += [details for details in found if details.task.status.final]
            size += sum(len(details.result or "") for details in found)
            if size > MOST_BYTES:
                break
        return final

    async def follow(
        self,
        caller: Caller,
        task_id: UUID,
        *,
        seen: int | None,
        seconds: float,
        beat_seconds: float,
    ) -> AsyncIterator[TaskDetails | None]:
        """Yield a task as it is, and again after each change, up to its final state.

        Several changes in quick succession may be yielded as one.

        Args:
            caller: of the task's namespace.
            task_id: the task.
            seen: the version that the caller has, which is not yielded.
            seconds: longest time to follow; after that the task may not be final yet.
            beat_seconds: time without a change after which None is yielded, as a heartbeat.

        Raises:
            TaskNotFound: the task does not exist (any more), or the caller does not see it.
        """
        now = asyncio.get_running_loop().time
        deadline, beat_at = now() + seconds, now() + beat_seconds
        with self._notifier.subscribe(caller.namespace, [task_id]) as subscription:
            while True:
                details = await self._read.get(caller, task_id)
                if details.task.version != seen:
                    seen = details.task.version
                    yield details
                    beat_at = now() + beat_seconds
                if details.task.status.final or now() >= deadline or self._draining:
                    return
                if now() >= beat_at:
                    yield None
                    beat_at = now() + beat_seconds
                await subscription.news(min(deadline - now(), beat_at - now(), self._poll_seconds))
