"""Pop the due doorbells of many queues in one call of a script.

Each queue of each namespace has a sorted set of doorbells and one of those that were rung aside.
Queues are popped in the order of their importance. Of one queue's name, each namespace that has
something due gets an equal share of the room, and what one does not use, another gets.
"""

from collections.abc import Callable, Collection, Container, Sequence
from itertools import islice
from typing import NamedTuple

from arq.connections import ArqRedis

from taskq_server.broker.connection import write
from taskq_server.domain.task import Queue
from taskq_server.worker.doorbells import MOST_ID_BYTES
from taskq_server.worker.queue_limits import NO_LIMITS, QueueLimits

Keys = Callable[[Queue], tuple[str, str]]
"""Returns the names in Redis of a queue's doorbells, and of those aside."""

_NO_QUEUE = ""
"""No queue has this name, so that nothing is found under its keys."""

_POP = """
redis.call('ZREM', KEYS[1], '') -- a replica answers what only reads, so an idle worker would stay
if #KEYS > 2 and #KEYS < 4000 and redis.call('EXISTS', unpack(KEYS)) == 0 then
  return {{}, {}, '', {}, {}, {}}
end
local now, room, threads = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local each = 2 * tonumber(ARGV[5])
local all, taken, gave, more, counts = {}, {}, {}, {}, {}
local soonest, next_at = math.huge, ''

local function head_is_due(key)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  local at = head and tonumber(head)
  if at and at > now and at < soonest then
    soonest, next_at = at, head
  end
  return at and at <= now
end

local function is_due(i)
  return head_is_due(KEYS[i]) or (threads > 0 and head_is_due(KEYS[i + 1]))
end

local function pop(queue, beside, most)
  local aside = {}
  if threads > 0 then
    aside = redis.call('ZRANGE', beside, 0, threads - 1, 'WITHSCORES')
  end
  for i = 1, #aside, 2 do
    redis.call('ZREM', beside, aside[i])
    redis.call('ZADD', queue, aside[i + 1], aside[i])
  end
  local ids = redis.call('ZRANGEBYSCORE', queue, '-inf', ARGV[1], 'LIMIT', 0, most)
  if #ids > 0 then
    redis.call('ZREM', queue, unpack(ids))
  end
  for i = 1, #aside, 2 do
    if redis.call('ZREM', queue, aside[i]) == 1 then
      redis.call('ZADD', beside, aside[i + 1], aside[i])
    else
      taken[#taken + 1] = string.sub(aside[i], 1, ARGV[3])
      threads = threads - 1
    end
  end
  for _, id in ipairs(ids) do
    all[#all + 1] = #id > tonumber(ARGV[3]) and string.sub(id, 1, ARGV[3]) or id
  end
  return #ids
end

for first = 1, #KEYS, each do
  local due, before = {}, #all
  local free = math.min(room, tonumber(ARGV[6 + (first - 1) / each] or room))
  for i = first, first + each - 2, 2 do
    if is_due(i) then
      due[#due + 1] = i
    end
  end
  while free > 0 and #due > 0 do
    local left = {}
    for n, i in ipairs(due) do
      local share = math.ceil(free / (#due - n + 1))
      local got = 0
      if share > 0 then
        got = pop(KEYS[i], KEYS[i + 1], share)
      end
      room, free = room - got, free - got
      if got > 0 then
        gave[#gave + 1] = (i - first) / 2
      end
      if got == share and is_due(i) then
        left[#left + 1] = i
      elseif got < share then
        is_due(i) -- notes when the next one is due
      end
    end
    due = left
  end
  for _, i in ipairs(due) do
    more[#more + 1] = (i - first) / 2
  end
  counts[#counts + 1] = #all - before
end
return {all, taken, next_at, gave, more, #ARGV > 5 and counts or {}}
"""


class Popped(NamedTuple):
    """What one call has popped.

    Attributes:
        ids: the doorbells, longer ones cut, by the names of their queues; of all queues together,
            without a name, if none has a limit.
        aside: those of them that were aside.
        next_at: the score of the next doorbell that is not due yet, milliseconds; None if there is
            none.
        gave: the namespaces that they are of.
        more: the namespaces that have more that is due.
    """

    ids: Sequence[tuple[str | None, Sequence[bytes]]]
    aside: Collection[bytes]
    next_at: float | None
    gave: Sequence[str]
    more: Sequence[str]

    @property
    def total(self) -> int:
        """The number of doorbells."""
        return sum(len(ids) for _, ids in self.ids)


class Popping:
    """The script, and the names in Redis of the queues of one worker.

    Args:
        redis: the server.
        queues: the names of queues, most important first.
        keys: names their doorbells.
        limits: say how many more of a queue may be popped.
        paused: the queues that are left alone.
    """

    def __init__(
        self,
        redis: ArqRedis,
        queues: Sequence[str],
        keys: Keys,
        *,
        limits: QueueLimits = NO_LIMITS,
        paused: Container[Queue] = (),
    ) -> None:
        self._redis = redis
        self._script = redis.register_script(_POP)
        self._queues = queues
        self._keys = keys
        self._limits = limits
        self._paused = paused
        self._named: dict[str, list[tuple[str, str]]] = {}

    async def __call__(
        self, namespaces: Sequence[str], *, now_ms: int, room: int, threads: int
    ) -> Popped:
        """Pop what is due.

        Args:
            namespaces: at least one; the first gets its share first.
            now_ms: doorbells of later scores stay.
            room: most doorbells to pop.
            threads: most doorbells to pop that are aside.

        Raises:
            RedisError, OSError: Redis is away.
        """
        named = [self._keys_of(namespace) for namespace in namespaces]
        keys: list[str] = []
        for at, queue in enumerate(self._queues):
            for namespace, pairs in zip(namespaces, named, strict=True):
                is_paused = Queue(namespace, queue) in self._paused
                keys += self._keys(Queue(namespace, _NO_QUEUE)) if is_paused else pairs[at]
        args = [now_ms, room, MOST_ID_BYTES + 1, threads, len(namespaces)]
        if self._limits:
            args += [self._limits.room(name, room) for name in self._queues]
        found = await write(self._redis, lambda: self._script(keys=keys, args=args))
        ids, aside, next_at, gave, more, counts = found
        return Popped(
            self._by_queue(ids, counts) if counts else [(None, ids)],
            aside,
            float(next_at) if next_at else None,
            [namespaces[at] for at in gave],
            [namespaces[at] for at in more],
        )

    def _by_queue(
        self, ids: Sequence[bytes], counts: Sequence[int]
    ) -> list[tuple[str | None, Sequence[bytes]]]:
        left = iter(ids)
        pairs = zip(self._queues, counts, strict=True)
        return [(name, list(islice(left, count))) for name, count in pairs if count]

    def _keys_of(self, namespace: str) -> list[tuple[str, str]]:
        keys = self._named.get(namespace)
        if keys is None:
            keys = [self._keys(Queue(namespace, name)) for name in self._queues]
            self._named[namespace] = keys
        return keys
