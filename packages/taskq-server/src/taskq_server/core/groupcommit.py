"""Group commit: many callers, one short transaction, an answer for each.

A caller passes an item and awaits its answer. While the allowed number of batches is being
committed, arriving items wait and form the next batch. So a lone item never waits, and a busy
process pays one transaction for hundreds of items. A batch that fails is replayed item by item, so
that one bad item fails alone; if the database is away, all items of the batch fail at once.

A batch runs in a context that has nothing of its callers: the lines of the log that it writes name
the group and the number of items. What fails for one item is for its caller to tell.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from taskq_server.core.log_context import about_group, apart
from taskq_server.core.log_text import brief
from taskq_server.core.observer import NOBODY, Observer
from taskq_server.domain.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_log = logging.getLogger("taskq.server")


class GroupCommit(Generic[Item, Answer]):
    """Coalesce concurrent calls into batches.

    Args:
        commit: serves a batch in one transaction and returns one answer for each item, in order;
            an exception as an answer is raised to the item's caller.
        max_items: most items of one batch.
        max_weight: largest sum of weights in one batch; a heavier item gets a batch of its own.
        weight: returns the weight of an item, for example its bytes.
        at_once: most batches under way; with two, one is filled and answered while the disk
            writes the other.
        name: of the group, for logs and observers.
        observer: is told of each batch that was served.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        max_items: int = 500,
        max_weight: int = 4_194_304,
        weight: Callable[[Item], int] = lambda _: 1,
        at_once: int = 1,
        name: str = "unnamed",
        observer: Observer = NOBODY,
    ) -> None:
        self._commit = commit
        self._max_items = max_items
        self._max_weight = max_weight
        self._weight = weight
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._at_once = at_once
        self._name = name
        self._observer = observer
        self._workers: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, item: Item) -> Answer:
        """Return the answer to `item` once its batch is committed.

        If a caller is cancelled before its batch starts, its item is dropped.
        """
        if self._loop is None or self._loop.is_closed():
            # Asked for once, because Python 3.11 makes a system call of it each time.
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append((item, future))
        if len(self._workers) < self._at_once:
            self._workers.add(asyncio.create_task(self._drain(), context=apart(self._name)))
        return await future

    async def close(self) -> None:
        """Wait until all items are committed."""
        while self._workers:
            await asyncio.wait(set(self._workers))

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                if batch:
                    await self._serve(batch)
        finally:
            # Not in a done callback, because an item that arrives before it would wait for ever.
            self._workers -= {asyncio.current_task()}

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        total = 0
        while self._waiting and len(batch) < self._max_items:
            item, future = self._waiting[0]
            if not future.done():
                total += self._weight(item)
                if batch and total > self._max_weight:
                    break
                batch.append((item, future))
            self._waiting.popleft()
        return batch

    async def _serve(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        began = time.perf_counter()
        try:
            with about_group(self._name, len(batch)):
                answers = await self._commit([item for item, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                _log.debug(
                    "a batch of %d fails (%s), and its items are tried one by one",
                    len(batch), brief(error), extra={"items": len(batch)},
                )  # fmt: skip
                for single in batch:
                    await self._serve([single])
                return
            answers = [error] * len(batch)
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        else:
            self._observer.batch_committed(self._name, len(batch), time.perf_counter() - began)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
