"""Limit the names of queues and tags that a namespace uses, because lists of names cost everyone.

Each namespace has names of its own, and the same limits. A submit costs nothing more if this
process has used or seen its names less than a minute ago. New names are admitted by the count in
the database, plus the names that this process is storing; names that other processes store at the
same moment may exceed the limit.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import in_use
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, QuotaExceeded
from taskq_server.domain.requests import DEFAULT_QUEUE
from taskq_server.services.submission import Made
from taskq_server.services.waiting_quota import WaitingQuota

_KNOWN_SECONDS = 60.0
_MOST_KNOWN = 20_000
_MOST_POINTERS = 100

Find = Callable[[Connection, str, Collection[str]], Awaitable[Collection[str]]]
"""Returns the names, of some, that are in use in a namespace."""

CountOthers = Callable[[Connection, str, Collection[str], int, int], Awaitable[int]]
"""Returns how many other names are in use, capped; an upper bound if that is at most `enough`."""


class _Names:
    """The names of a namespace that this process knows, and those that it is storing."""

    __slots__ = ("known", "storing")

    def __init__(self, expected: Iterable[str], now: float) -> None:
        self.known = dict.fromkeys(expected, now)
        self.storing: Counter[str] = Counter()


@dataclass(slots=True)
class _Found:
    """The names of a namespace that are new, and how many others are taken."""

    new: set[str]
    taken: int


class Quota:
    """The names of one kind that are in use in each namespace, and their limit.

    Args:
        kind: the kind in the plural, for messages.
        most: most names in use.
        database: holds the tasks.
        find: returns the names in use.
        count_others: counts the other names in use.
        expected: names that count as known when their namespace is seen first.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        kind: str,
        most: int,
        database: Database,
        find: Find,
        count_others: CountOthers,
        expected: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._most = most
        self._database = database
        self._find = find
        self._count_others = count_others
        self._monotonic = monotonic
        self._expected = tuple(expected)
        self._of: dict[str, _Names] = {}
        self._size = 0
        self._looks: GroupCommit[Admission, None] = GroupCommit(
            self._look, name="quotas", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._looks.close()

    def knows(self, caller: Caller, names: Collection[str]) -> bool:
        """Return whether this process has seen all names in use within the last minute."""
        if not names:
            return True
        now = self._monotonic()
        known = self._names(caller.namespace).known
        since = now - _KNOWN_SECONDS
        for name in names:
            if known.get(name, since) <= since:
                return False
        for name in names:
            known[name] = now
        return True

    def admit(self, caller: Caller, pointers: Mapping[str, str]) -> "Admission":
        """Return a block in which names may be stored.

        Args:
            caller: the names belong to its namespace.
            pointers: the JSON pointer of each name in the body.
        """
        return Admission(self, caller, pointers)

    async def enter(self, admission: "Admission") -> None:
        """Admit all names, or none.

        Raises:
            QuotaExceeded: too many names would be in use.
        """
        if not self.knows(admission.caller, admission.pointers):
            await self._looks(admission)

    def leave(self, admission: "Admission", *, stored: bool) -> None:
        """Stop counting the names as being stored; stored names become known."""
        admission.has_left = True
        names = self._names(admission.caller.namespace)
        for name in admission.pointers if admission.counts else ():
            names.storing[name] -= 1
            if not names.storing[name]:
                del names.storing[name]
        if stored:
            self._forget_if_full()
            names = self._names(admission.caller.namespace)
            self._size -= len(names.known)
            names.known |= dict.fromkeys(admission.pointers, self._monotonic())
            self._size += len(names.known)

    def _names(self, namespace: str) -> _Names:
        names = self._of.get(namespace)
        if names is None:
            self._forget_if_full()
            self._of[namespace] = names = _Names(self._expected, self._monotonic())
            self._size += 1 + len(self._expected)
        return names

    def _forget_if_full(self) -> None:
        if self._size <= _MOST_KNOWN:
            return
        self._of = {of: names for of, names in self._of.items() if names.storing}
        for names in self._of.values():
            names.known.clear()
        self._size = len(self._of)

    async def _look(self, asked: Sequence["Admission"]) -> Sequence[QuotaExceeded | None]:
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for admission in asked:
            wanted[admission.caller.namespace].update(admission.pointers)
        storing = {namespace: set(self._names(namespace).storing) for namespace in wanted}

        async def read(connection: Connection) -> dict[str, _Found]:
            return {
                namespace: await self._find_new(connection, namespace, names, storing[namespace])
                for namespace, names in wanted.items()
            }

        found = await self._database.read(read)
        return [self._answer(admission, found[admission.caller.namespace]) for admission in asked]

    async def _find_new(
        self, connection: Connection, namespace: str, names: set[str], storing: set[str]
    ) -> _Found:
        new = names - storing - set(await self._find(connection, namespace, names - storing))
        if not new:
            return _Found(new, 0)
        enough = max(0, self._most - len(storing) - len(new))
        others = await self._count_others(connection, namespace, storing, enough, self._most)
        return _Found(new, others + len(storing))

    def _answer(self, admission: "Admission", found: _Found) -> QuotaExceeded | None:
        added = [name for name in admission.pointers if name in found.new]
        beyond = added[max(0, self._most - found.taken) :]
        if not beyond and not admission.has_left:
            names = self._names(admission.caller.namespace)
            admission.counts = True
            names.storing.update(admission.pointers.keys())
            found.new.difference_update(added)
            found.taken += len(added)
            if added and found.taken + len(names.known) > self._most:
                # Names that are no longer in use must not count as known.
                self._size -= len(names.known)
                names.known.clear()
        return self._exceeded(admission, beyond) if beyond else None

    def _exceeded(self, admission: "Admission", beyond: Sequence[str]) -> QuotaExceeded:
        detail = (
            f"{self._most} {self._kind} may be in use at a time: use one that is, delete the tasks "
            f"of one, or let TASKQ_MAX_{self._kind.upper()} be higher"
        )
        return QuotaExceeded(
            detail,
            [
                FieldError(admission.pointers[name], "quota-exceeded", detail)
                for name in beyond[:_MOST_POINTERS]
            ],
        )


class Admission:
    """Names that are stored while the block runs; they count from its beginning.

    Raises:
        QuotaExceeded: a name is new, and the limit is reached.
    """

    __slots__ = ("_quota", "caller", "counts", "has_left", "pointers")

    def __init__(self, quota: Quota, caller: Caller, pointers: Mapping[str, str]) -> None:
        self._quota = quota
        self.caller = caller
        self.pointers = pointers
        self.counts = False
        self.has_left = False

    async def __aenter__(self) -> None:
        try:
            await self._quota.enter(self)
        except BaseException:
            self._quota.leave(self, stored=False)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._quota.leave(self, stored=kind is None)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of each namespace."""

    queues: Quota
    tags: Quota
    waiting: WaitingQuota

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return the quotas of the settings."""
        queues, tags = settings.max_queues, settings.max_tags
        return cls(
            queues=Quota(
                *("queues", queues, database, in_use.queues, in_use.other_queues),
                expected=[DEFAULT_QUEUE],
            ),
            tags=Quota("tags", tags, database, in_use.named_tags, in_use.other_tags),
            waiting=WaitingQuota(settings.max_waiting, database),
        )

    def know(self, caller: Caller, queue: str, tags: Collection[str]) -> bool:
        """Return whether these names are known and any task may wait: nothing to be admitted."""
        if self.waiting.is_limited:
            return False
        return self.queues.knows(caller, (queue,)) and self.tags.knows(caller, tags)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self.queues.close()
        await self.tags.close()
        await self.waiting.close()


def of_items(items: Sequence[Made]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the pointers to the queues and the tags of a batch, for equal names to the first."""
    queues: dict[str, str] = {}
    tags: dict[str, str] = {}
    for position, item in enumerate(items):
        if item.task.queue not in queues:
            queues[item.task.queue] = f"/items/{position}/queue"
        for name, pointer in of_tags(item.tags, f"/items/{position}").items() if item.tags else ():
            tags.setdefault(name, pointer)
    return queues, tags


def of_tags(names: Sequence[str], of: str = "") -> dict[str, str]:
    """Return the pointers to the tags of the task at the pointer `of`."""
    found: dict[str, str] = {}
    for position, name in enumerate(names):
        found.setdefault(name, f"{of}/tags/{position}")
    return found
