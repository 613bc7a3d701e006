"""The janitor's work: stage, rescue, prune, compact, forget, at the cost of what is missing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from taskq_server.broker.dispatcher import Dispatcher, doorbell_of
from taskq_server.core.database import Database
from taskq_server.crud import (
    bulk,
    counts,
    due,
    minutes,
    old_workers,
    sessions,
    sweeps,
    tags,
    workers,
)
from taskq_server.crud import namespaces as in_namespaces
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.minutes import KEPT, minute_of
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Due, Queue, Task
from taskq_server.services.attempts import AttemptService
from taskq_server.services.pruning import Pruning

_BATCH = 1_000
_TAG_BATCH = 200
_OPERATION_BATCH = 500
_COMPACT_BATCH = 5_000
_WORKER_BATCH = 1_000
_SESSION_BATCH = 1_000
_PRUNED = timedelta(hours=1)
"""The time within which tasks past retention are pruned, and clocks agree."""


class Maintenance:
    """Keep rows, doorbells and leases in step.

    Args:
        database: holds the rows.
        clock: the earliest time that it may be, aware UTC.
        attempts: rescues.
        dispatcher: rings.
        on_paused: told of queues that a sweep finds paused.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        attempts: AttemptService,
        dispatcher: Dispatcher,
        on_paused: Callable[[Queue], None] = lambda queue: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._attempts = attempts
        self._dispatcher = dispatcher
        self._on_paused = on_paused
        self._pruning = Pruning(database, clock)

    async def waiting(self, namespaces: Sequence[str]) -> list[str]:
        """Return those of some namespaces, in the same order, that may have something to stage.

        For several it costs one statement more, and saves some for each that has nothing.
        """
        if len(namespaces) <= 1:
            return list(namespaces)
        there = await self._database.read(lambda c: in_namespaces.waiting(c, namespaces))
        return [each for each in namespaces if each in there]

    async def stage(
        self,
        queue: Queue,
        handlers: Sequence[str],
        *,
        head: int | None,
        settled: timedelta,
        last_chance: bool = True,
    ) -> list[Due]:
        """Ring again for due tasks that lost their doorbell, and return them.

        A due row that scores below the head of its queue in Redis has lost its doorbell, unless
        somebody popped it just now. An empty queue has lost all of them.

        Args:
            queue: a queue of one namespace.
            handlers: what this worker can run.
            head: lowest score in Redis, milliseconds; None when the queue is empty.
            settled: rows younger than this are left alone.
            last_chance: whether to ring for tasks that need a quarantine process, too.
        """
        lost = await self.due(
            queue, handlers, _BATCH, last_chance=last_chance, below=head, settled=settled
        )
        self._dispatcher.ring([doorbell_of(one) for one in lost])
        return lost

    async def due(
        self,
        queue: Queue,
        handlers: Sequence[str],
        limit: int,
        *,
        last_chance: bool = True,
        below: int | None = None,
        settled: timedelta | None = None,
    ) -> list[Due]:
        """Return the tasks that a worker may claim without a doorbell; none of a paused queue.

        Args:
            queue: a queue of one namespace.
            handlers: what the worker can run.
            limit: rows, at most.
            last_chance: whether to return tasks that need a quarantine process, too.
            below: only tasks of a lower score, in milliseconds; None stands for any.
            settled: rows younger than this are left out; None leaves none out.
        """
        now = self._clock()
        found = await self._database.read(
            lambda c: due.due(
                c,
                namespace=queue.namespace,
                queue=queue.name,
                handlers=handlers,
                now=now,
                limit=limit,
                last_chance=last_chance,
                below=below,
                untouched_since=None if settled is None else now - settled,
            )
        )
        if found is None:
            self._on_paused(queue)
        return found or []

    async def beats(self) -> dict[UUID, int]:
        """Return the workers whose leases nobody has ended, with their counters."""
        return await self._database.read(workers.beats)

    async def mark_lost(self, seen: Mapping[UUID, int]) -> None:
        """End the leases of workers whose counters stood still for a lease.

        Args:
            seen: what the counters said all the time; where one has moved since, nothing happens.
        """
        over = self._clock()
        await self._database.write(lambda c: workers.mark_lost(c, seen, lease_until=over))

    async def rescue(
        self, live: Collection[UUID], namespaces: Collection[str]
    ) -> list[AttemptEnded]:
        """Take tasks back from workers whose leases somebody has ended.

        Args:
            live: the other workers, as far as known.
            namespaces: whose tasks; `*` among them stands for all.
        """
        candidates = await self._database.read(
            lambda c: workers.orphans(c, live, namespaces=namespaces, limit=_BATCH)
        )
        if not candidates:
            return []
        # A worker that has come meanwhile may hold some of them.
        now_live = await self.beats()

        def is_orphan(task: Task) -> bool:
            return task.worker_id not in now_live

        return await self._attempts.rescue(candidates, is_orphan)

    async def forget_workers(self, older_than: timedelta) -> None:
        """Delete workers that ended long ago, hold no task, and are named by no attempt.

        Args:
            older_than: for how long their leases have been over, as long as final tasks are kept,
                at least: then few tasks are left of their time.
        """
        before = self._clock() - older_than - _PRUNED
        created_before = before + _PRUNED / 2
        # More than attempts may name at most, so that the oldest do not keep the others.
        limit = old_workers.BUDGET + _WORKER_BATCH
        ended = await self._database.read(lambda c: old_workers.idle(c, before=before, limit=limit))
        if not ended:
            return
        # In this order: what one of them held has an attempt by now that names it.
        named = await self._database.read(
            lambda c: old_workers.named(c, created_before=created_before)
        )
        gone = set() if named is None else set(ended) - named
        if gone:
            await self._database.write(lambda c: old_workers.forget(c, gone))

    async def prune(self, kept: Retention) -> int:
        """Delete some final tasks that are past retention; return how many, 0 if none is left."""
        return await self._pruning.batch(kept)

    async def forget_operations(self, retention: timedelta) -> int:
        """Delete a small batch of bulk operations that are past retention; return how many."""
        before = self._clock() - retention
        return await self._database.write(
            lambda c: bulk.forget(c, before=before, limit=_OPERATION_BATCH)
        )

    async def forget_tags(self, idle: timedelta) -> bool:
        """Delete a small batch of tags that are without tasks; return whether there may be more.

        Args:
            idle: for how long, at least.
        """
        now = self._clock()
        before = now - idle - tags.PRECISION
        found = await self._database.read(lambda c: tags.idle(c, before=before, limit=_TAG_BATCH))
        if found:
            await self._database.write(lambda c: tags.forget(c, found, before=before, now=now))
        return len(found) == _TAG_BATCH

    async def compact(self) -> bool:
        """Replace rows of the ledger of tasks by their sums; return whether more are worth it."""
        minute = minute_of(self._clock())
        try:
            return await self._database.write(
                lambda c: counts.compact(c, limit=_COMPACT_BATCH, minute=minute)
            )
        except counts.CompactionConflict:
            return False

    async def forget_sweeps(self, older_than: timedelta) -> None:
        """Delete rows of kinds of sweeps that nobody has taken care of for long."""
        before = self._clock() - older_than
        await self._database.write(lambda c: sweeps.forget(c, before=before))

    async def forget_sessions(self) -> bool:
        """Delete a small batch of sessions that are over; return whether there may be more."""
        before = self._clock()
        gone = await self._database.write(
            lambda c: sessions.forget(c, before=before, limit=_SESSION_BATCH)
        )
        return gone == _SESSION_BATCH

    async def forget_minutes(self) -> bool:
        """Delete the oldest minutes that are no longer kept; return whether there may be more."""
        before = minute_of(self._clock()) - KEPT
        return await self._database.write(lambda c: minutes.forget(c, before=before))
