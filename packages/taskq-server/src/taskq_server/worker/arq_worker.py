"""arq's worker, woken instead of polling.

arq starts jobs one by one with four round trips each, keeps running jobs in its queue, and ends
when Redis goes away. Here a doorbell is popped when it is taken (the row is the lock), all that fit
in one round trip, and a worker without Redis asks the database instead. A doorbell that was refused
for want of a thread is rung aside, where only workers with a free thread look: nobody takes it
again and again, and what needs no thread does not wait behind it. A stock
`enqueue_job("execute_task", task_id, attempt, _queue_name=…)` of a client that writes JSON rings as
well. Nothing but taskq's own queues is ever looked at.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

from arq.connections import ArqRedis
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from taskq_server.broker.connection import JOB_FUNCTION, REPLY_SECONDS, OutageLog, write
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.domain.task import Queue
from taskq_server.worker.admission import Admission
from taskq_server.worker.doorbells import MOST_ID_BYTES, Arguments, read_doorbells

_POP = """
redis.call('ZREM', KEYS[1], '') -- a replica answers what only reads, so an idle worker would stay
local aside = {}
if tonumber(ARGV[4]) > 0 then
  aside = redis.call('ZRANGE', KEYS[2], 0, ARGV[4] - 1, 'WITHSCORES')
end
for i = 1, #aside, 2 do
  redis.call('ZREM', KEYS[2], aside[i])
  redis.call('ZADD', KEYS[1], aside[i + 1], aside[i])
end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #ids > 0 then
  redis.call('ZREM', KEYS[1], unpack(ids))
end
local taken = {}
for i = 1, #aside, 2 do
  if redis.call('ZREM', KEYS[1], aside[i]) == 1 then
    redis.call('ZADD', KEYS[2], aside[i + 1], aside[i])
  else
    taken[#taken + 1] = string.sub(aside[i], 1, ARGV[3])
  end
end
for i, id in ipairs(ids) do
  if #id > tonumber(ARGV[3]) then
    ids[i] = string.sub(id, 1, ARGV[3])
  end
end
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {ids, taken, head[2] or ''}
"""
_MOST_POPPED = 1_000
_MOST_SCORE = 2**53
_AWAY_SECONDS = 0.5
_log = logging.getLogger("taskq.server.worker")


class Heads(NamedTuple):
    """The lowest score of a queue's doorbells, and of those aside; None if there are none."""

    queue: int | None
    aside: int | None


class TaskqWorker(Worker):
    """Pop doorbells and run `execute_task` for each.

    Args:
        queues: the key in Redis of each queue, most important first; queues of the same name in
            several namespaces follow each other.
        now_ms: the earliest time that it may be, milliseconds.
        may_have: how many attempts may be under way now.
        due: what is due in a queue according to the database, for a Redis that is away.
        asides: the key in Redis of each queue's doorbells for workers with a free thread.
        threads: how many of them would have a thread now, besides these that are under way.
        admission: knows what was refused, and starts it when there is room.
        garbage: takes doorbells that cannot be read.
        wake: set by others to have it look for doorbells now.
        options: arq's own arguments.
    """

    def __init__(
        self,
        *,
        queues: Mapping[Queue, str],
        now_ms: Callable[[], int],
        may_have: Callable[[], int],
        due: Callable[[Queue, int], Awaitable[Sequence[Arguments]]],
        asides: Mapping[Queue, str],
        threads: Callable[[Collection[UUID]], int],
        admission: Admission,
        unreadable: UnreadableMessages,
        wake: asyncio.Event,
        **options: Any,
    ) -> None:
        super().__init__(queue_name=next(iter(queues.values())), **options)
        self._queues = queues
        self._names = tuple(dict.fromkeys(queue.name for queue in queues))
        self._turns = deque(dict.fromkeys(queue.namespace for queue in queues))
        self._sweeps = self._turns.copy()
        self._now_ms = now_ms
        self._may_have = may_have
        self._due = due
        self._asides = asides
        self._threads = threads
        self._promised: set[UUID] = set()
        self._admission = admission
        self._unreadable = unreadable
        self._wake = wake
        self._away = False
        self._outage_log = OutageLog(self.pool, "Redis gives no doorbells")
        self._script = self.pool.register_script(_POP)

    async def main(self) -> None:
        """Take doorbells for ever; replaces arq's polling loop."""
        self.ctx["redis"] = self.pool
        while True:
            self._wake.clear()
            pause = await self._take() if self.allow_pick_jobs else self.poll_delay_s
            if pause > 0:
                await self._sleep(pause)

    def offer(self, attempts: Sequence[Arguments]) -> None:
        """Start attempts that nobody rang for, as far as there is room."""
        if self.allow_pick_jobs:
            self._start_rung(attempts[: max(0, self._room())])

    async def heads(self) -> dict[Queue, Heads]:
        """Return the lowest scores of each queue, each time another namespace first.

        Raises:
            RedisError, OSError, TimeoutError: Redis is away.
        """
        self._sweeps.rotate(-1)
        return {
            queue: Heads(
                await self._head(self._queues[queue]), await self._head(self._asides[queue])
            )
            for group in self._grouped(self._sweeps)
            for queue in group
        }

    async def _head(self, key: str) -> int | None:
        async with asyncio.timeout(REPLY_SECONDS):
            head = await self.pool.zrange(key, 0, 0, withscores=True)
        # Scores that are no times are not taskq's.
        return int(head[0][1]) if head and abs(head[0][1]) < _MOST_SCORE else None

    async def _take(self) -> float:
        """Start what is there, and return how long to sleep unless somebody wakes us."""
        for one in self._admission.ready(self._room()):
            self._start(one)
        pause = self.poll_delay_s
        for group in self._grouped(self._turns):
            for number, queue in enumerate(group):
                room = self._room()
                if room <= 0:
                    return self.poll_delay_s
                share = ceil(room / (len(group) - number))
                jobs, next_in = await self._pop(queue, share)
                self._start_rung(jobs)
                if jobs:
                    self._goes_last(queue.namespace)
                pause = min(pause, 0.0 if len(jobs) == share else next_in)
            if pause == 0.0:
                break  # for this queue has more, and the next one is less important
        return pause

    def _goes_last(self, namespace: str) -> None:
        """Let the other namespaces be first, now that this one had something.

        So one namespace with a backlog cannot keep others from a worker that has little room.
        """
        self._turns.remove(namespace)
        self._turns.append(namespace)

    def _grouped(self, namespaces: Iterable[str]) -> list[list[Queue]]:
        """Return the queues of each name, in this order of their namespaces."""
        return [[Queue(namespace, name) for namespace in namespaces] for name in self._names]

    def _room(self) -> int:
        return min(self._may_have() - len(self.tasks), _MOST_POPPED)

    async def _pop(self, queue: Queue, room: int) -> tuple[Sequence[Arguments], float]:
        now = self._now_ms()
        keys = [self._queues[queue], self._asides[queue]]
        threads = self._threads(self._promised)
        try:
            async with asyncio.timeout(_AWAY_SECONDS if self._away else REPLY_SECONDS):
                ids, aside, head = await write(
                    self.pool,
                    lambda: self._script(keys=keys, args=[now, room, MOST_ID_BYTES + 1, threads]),
                )
        except (RedisError, OSError, TimeoutError) as error:
            self._outage_log.fails(error)
            self._away = True
            return await self._due(queue, room), self.poll_delay_s
        self._outage_log.works()
        self._away = False
        next_in = (float(head) - now) / 1000 if head else self.poll_delay_s
        found = await read_doorbells(self.pool, ids, self._unreadable)
        if aside:
            self._promised.update(UUID(one) for one, n in found if f"{one}:{n}".encode() in aside)
        return found, max(0.0, next_in)

    def _start_rung(self, rung: Iterable[Arguments]) -> None:
        for one in rung:
            if self._admission.admits(one):
                self._start(one)

    def _start(self, arguments: Arguments) -> None:
        task_id, attempt = arguments
        key = f"{task_id}:{attempt}"
        if key in self.tasks:
            return
        function = self.functions[JOB_FUNCTION]
        assert isinstance(function, Function)
        job = self.loop.create_task(function.coroutine(self.ctx, task_id, attempt))
        self.tasks[key] = job
        job.add_done_callback(lambda done: self._finished(key, done))

    def _finished(self, key: str, job: asyncio.Task[Any]) -> None:
        del self.tasks[key]
        if self._promised:
            self._promised.discard(UUID(key.partition(":")[0]))
        error = None if job.cancelled() else job.exception()
        if error is not None:
            _log.error("attempt %s ended in an error of taskq's own", key, exc_info=error)
        # The database would offer at once again what was refused just now.
        if not self._away or (error is None and not job.cancelled() and job.result()):
            self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


def redis_pool(pool: ArqRedis | None) -> ArqRedis:
    """Return the pool that a worker cannot do without."""
    assert pool is not None, "a worker needs a Redis URL"
    return pool
