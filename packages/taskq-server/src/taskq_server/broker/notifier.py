"""Tell waiters that tasks changed, and workers that tasks are to be cancelled."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline

from taskq_server.broker.listener import listen
from taskq_server.broker.names import Names
from taskq_server.broker.sender import MOST_BUFFERED, Sender
from taskq_server.broker.unreadable import Unreadable, UnreadableMessages
from taskq_server.domain.task import Address

_MOST_BYTES = MOST_BUFFERED * 36  # an id: 32 digits, two quotation marks, a comma and a space


class Subscription:
    """The changes of some tasks, for one waiter.

    A waiter subscribes first and reads the database second, so that it misses no change.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._changed: set[UUID] = set()

    def tell(self, task_ids: Iterable[UUID]) -> None:
        """Note that tasks changed, and wake the waiter."""
        self._changed.update(task_ids)
        self._event.set()

    async def news(self, timeout: float) -> set[UUID]:
        """Return the tasks that changed since the last call; empty after the timeout.

        Args:
            timeout: seconds to wait for the first change.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return set()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed


class Notifier:
    """Publish one message for each batch of changes; receive with one subscriber per process."""

    def __init__(self, send: Sender) -> None:
        self._send = send
        self._waiters: dict[UUID, set[Subscription]] = {}

    @property
    def waiters(self) -> int:
        """The number of tasks that callers of this process wait for."""
        return len(self._waiters)

    def changed(self, tasks: Sequence[Address]) -> None:
        """Tell the waiters of all processes that tasks changed."""
        if tasks:
            self._send(_publish_changed, tasks)

    def cancel(self, tasks: Sequence[Address]) -> None:
        """Tell workers to cancel running tasks now, ahead of their next heartbeat."""
        self._send(_publish_cancel, tasks)

    def keys_changed(self) -> None:
        """Tell all processes that API keys have changed."""
        self._send(_publish_keys, [None])

    @contextmanager
    def subscribe(self, task_ids: Sequence[UUID]) -> Iterator[Subscription]:
        """Subscribe to changes of tasks."""
        subscription = Subscription()
        for task_id in task_ids:
            self._waiters.setdefault(task_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            for task_id in task_ids:
                waiters = self._waiters.get(task_id, set())
                waiters.discard(subscription)
                if not waiters:
                    self._waiters.pop(task_id, None)

    async def run(
        self,
        redis: ArqRedis,
        channel: str,
        unreadable: UnreadableMessages,
        others: Mapping[str, Callable[[bytes], None]],
    ) -> None:
        """Pass the messages of a channel to the waiters of this process, for ever.

        Args:
            redis: the server.
            channel: for the ids of changed tasks.
            unreadable: takes the unreadable messages.
            others: what to call for the messages of other channels.
        """
        callbacks = {**others, channel: self._on_changed}
        await listen(redis, callbacks, unreadable, on_connect=self.wake_all)

    def wake_all(self) -> None:
        """Let all waiters read their tasks again."""
        for task_id, waiters in self._waiters.items():
            for subscription in waiters:
                subscription.tell([task_id])

    def _on_changed(self, message: bytes) -> None:
        told: dict[Subscription, set[UUID]] = {}
        for task_id in read_ids(message):
            for subscription in self._waiters.get(task_id, ()):
                told.setdefault(subscription, set()).add(task_id)
        for subscription, task_ids in told.items():
            subscription.tell(task_ids)


def _publish_changed(pipe: Pipeline, names: Names, tasks: Iterable[Address]) -> None:
    for namespace, message in _messages(tasks):
        pipe.publish(names.changed(namespace), message)


def _publish_keys(pipe: Pipeline, names: Names, _: Iterable[None]) -> None:
    pipe.publish(names.keys, b"")


def _publish_cancel(pipe: Pipeline, names: Names, tasks: Iterable[Address]) -> None:
    for namespace, message in _messages(tasks):
        pipe.publish(names.cancel(namespace), message)


def _messages(tasks: Iterable[Address]) -> Iterator[tuple[str, str]]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for namespace, task_id in tasks:
        ids[namespace].append(task_id.hex)
    for namespace, those in ids.items():
        yield namespace, json.dumps(those)


def read_ids(message: bytes) -> list[UUID]:
    """Return the task ids of a message, which any program that reaches Redis may have sent.

    Raises:
        Unreadable: the message is longer than any of taskq's, or is not a list of ids.
    """
    if len(message) > _MOST_BYTES:
        raise Unreadable
    try:
        return [UUID(hex=text) for text in json.loads(message)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Unreadable from None
