"""Tell waiters that tasks changed, and workers that tasks are to be cancelled."""

import asyncio
import json
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from uuid import UUID

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline

from taskq_server.broker.listener import Callback, Listener
from taskq_server.broker.names import Names
from taskq_server.broker.sender import MOST_BUFFERED, Sender
from taskq_server.broker.unreadable import Unreadable, UnreadableMessages
from taskq_server.domain.task import Address, Queue

_MOST_UNUSED = 100
_MOST_BYTES = MOST_BUFFERED * 36  # an id: 32 digits, two quotation marks, a comma and a space


class Subscription:
    """The changes of some tasks, for one waiter.

    A waiter subscribes first and reads the database second, so that it misses no change.

    Args:
        task_ids: the tasks.
    """

    def __init__(self, task_ids: Sequence[UUID]) -> None:
        self.task_ids = task_ids
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
    """Publish one message for each batch of changes; receive with one subscriber per process.

    It listens to the channels of its process's own namespace and of those that callers wait in. A
    namespace that nobody waits in any more stays for the next waiter, among the last hundred.
    """

    def __init__(self, send: Sender) -> None:
        self._send = send
        self._waiters: dict[UUID, set[Subscription]] = {}
        self._waiting_in: dict[str, set[Subscription]] = {}
        self._unused: OrderedDict[str, None] = OrderedDict()
        self._channels: _Channels | None = None

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

    def queue_changed(self, queue: Queue) -> None:
        """Tell workers that a queue was paused or resumed."""
        self._send(_publish_queues, [queue])

    def keys_changed(self) -> None:
        """Tell all processes that API keys have changed."""
        self._send(_publish_keys, [None])

    def sessions_changed(self) -> None:
        """Tell all processes that sessions of browsers have changed."""
        self._send(_publish_sessions, [None])

    @contextmanager
    def subscribe(self, namespace: str, task_ids: Sequence[UUID]) -> Iterator[Subscription]:
        """Subscribe to changes of tasks of a namespace.

        The first waiter in a namespace may read before Redis sends its messages, so it is woken
        once when that begins.
        """
        subscription = Subscription(task_ids)
        for task_id in task_ids:
            self._waiters.setdefault(task_id, set()).add(subscription)
        self._enter(namespace, subscription)
        try:
            yield subscription
        finally:
            self._leave(namespace, subscription)
            for task_id in task_ids:
                waiters = self._waiters.get(task_id, set())
                waiters.discard(subscription)
                if not waiters:
                    self._waiters.pop(task_id, None)

    async def run(
        self,
        redis: ArqRedis,
        names: Names,
        namespace: str,
        unreadable: UnreadableMessages,
        others: Mapping[str, Callback] = MappingProxyType({}),
    ) -> None:
        """Pass messages about changed tasks to the waiters of this process, for ever.

        Args:
            redis: the server.
            names: of channels.
            namespace: is listened to whether or not somebody waits in it.
            unreadable: takes the unreadable messages.
            others: what to call for the messages of other channels.
        """
        self._channels = _Channels(names, namespace, self._on_changed, self._wake, others)
        self._channels.add(self._waiting_in)
        await self._channels.listener.run(redis, unreadable)

    def wake_all(self) -> None:
        """Let all waiters read their tasks again."""
        for namespace in self._waiting_in:
            self._wake(namespace)

    def _wake(self, namespace: str) -> None:
        for subscription in self._waiting_in.get(namespace, ()):
            subscription.tell(subscription.task_ids)

    def _enter(self, namespace: str, subscription: Subscription) -> None:
        there = self._waiting_in.setdefault(namespace, set())
        there.add(subscription)
        self._unused.pop(namespace, None)
        if len(there) == 1 and self._channels is not None:
            self._channels.add([namespace])

    def _leave(self, namespace: str, subscription: Subscription) -> None:
        there = self._waiting_in[namespace]
        there.remove(subscription)
        if there:
            return
        del self._waiting_in[namespace]
        self._unused[namespace] = None
        if len(self._unused) > _MOST_UNUSED:
            oldest, _ = self._unused.popitem(last=False)
            if self._channels is not None:
                self._channels.remove(oldest)

    def _on_changed(self, message: bytes) -> None:
        told: dict[Subscription, set[UUID]] = {}
        for task_id in read_ids(message):
            for subscription in self._waiters.get(task_id, ()):
                told.setdefault(subscription, set()).add(task_id)
        for subscription, task_ids in told.items():
            subscription.tell(task_ids)


class _Channels:
    """The channels of changed tasks that a process listens to.

    Args:
        names: of channels.
        own: the namespace whose channel is always listened to.
        on_changed: takes the messages.
        on_subscribed: called for a namespace when Redis has begun to send its messages.
        others: what to call for the messages of other channels.
    """

    def __init__(
        self,
        names: Names,
        own: str,
        on_changed: Callback,
        on_subscribed: Callable[[str], None],
        others: Mapping[str, Callback],
    ) -> None:
        self._names = names
        self._own = own
        self._on_changed = on_changed
        self._on_subscribed = on_subscribed
        self._namespaces = {names.changed(own): own}
        self.listener = Listener({**others, names.changed(own): on_changed}, self._subscribed)

    def add(self, namespaces: Iterable[str]) -> None:
        """Listen to the channels of these namespaces, too."""
        new = {self._names.changed(each): each for each in namespaces}
        if not new.keys() <= self._namespaces.keys():
            self._namespaces |= new
            self.listener.add(dict.fromkeys(new, self._on_changed))

    def remove(self, namespace: str) -> None:
        """Listen no more to the channel of a namespace, unless it is the process's own."""
        channel = self._names.changed(namespace)
        if channel != self._names.changed(self._own):
            self._namespaces.pop(channel, None)
            self.listener.remove(channel)

    def _subscribed(self, channel: str) -> None:
        if channel in self._namespaces:
            self._on_subscribed(self._namespaces[channel])


def _publish_changed(pipe: Pipeline, names: Names, tasks: Iterable[Address]) -> None:
    for namespace, message in _messages(tasks):
        pipe.publish(names.changed(namespace), message)


def _publish_queues(pipe: Pipeline, names: Names, queues: Iterable[Queue]) -> None:
    for queue in set(queues):
        pipe.publish(names.queues(queue.namespace), queue.name)


def _publish_keys(pipe: Pipeline, names: Names, _: Iterable[None]) -> None:
    pipe.publish(names.keys, b"")


def _publish_sessions(pipe: Pipeline, names: Names, _: Iterable[None]) -> None:
    pipe.publish(names.sessions, b"")


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
