"""Limit the names of queues and tags that a namespace uses, because lists of names cost everyone.

A submit costs nothing more if this process has used or seen its names less than a minute ago. New
names are admitted by the count in the database, plus the names that this process is storing; names
that other processes store at the same moment may exceed the limit.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import in_use
from taskq_server.domain.errors import FieldError, QuotaExceeded
from taskq_server.domain.requests import DEFAULT_QUEUE, NewTask

_KNOWN_SECONDS = 60.0
_MOST_KNOWN = 20_000
_MOST_POINTERS = 100

Find = Callable[[Connection, str, Collection[str]], Awaitable[Collection[str]]]
"""Returns the names, of some, that are in use in a namespace."""

CountOthers = Callable[[Connection, str, Collection[str], int, int], Awaitable[int]]
"""Returns how many other names are in use, capped; an upper bound if that is at most `enough`."""


class Quota:
    """The names of one kind that are in use, and their limit.

    Args:
        kind: the kind in the plural, for messages.
        most: most names in use.
        database: holds the tasks.
        namespace: of all tasks.
        find: returns the names in use.
        count_others: counts the other names in use.
        expected: names that count as known at first.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        kind: str,
        most: int,
        database: Database,
        namespace: str,
        find: Find,
        count_others: CountOthers,
        expected: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._most = most
        self._database = database
        self._namespace = namespace
        self._find = find
        self._count_others = count_others
        self._monotonic = monotonic
        self._known = dict.fromkeys(expected, monotonic())
        self._storing: Counter[str] = Counter()
        self._looks: GroupCommit[Admission, None] = GroupCommit(self._look)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._looks.close()

    def knows(self, names: Collection[str]) -> bool:
        """Return whether this process has seen all names in use within the last minute."""
        now = self._monotonic()
        since = now - _KNOWN_SECONDS
        for name in names:
            if self._known.get(name, since) <= since:
                return False
        for name in names:
            self._known[name] = now
        return True

    def admit(self, pointers: Mapping[str, str]) -> "Admission":
        """Return a block in which names may be stored.

        Args:
            pointers: the JSON pointer of each name in the body.
        """
        return Admission(self, pointers)

    async def enter(self, admission: "Admission") -> None:
        """Admit all names, or none.

        Raises:
            QuotaExceeded: too many names would be in use.
        """
        if not self.knows(admission.pointers):
            await self._looks(admission)

    def leave(self, admission: "Admission", *, stored: bool) -> None:
        """Stop counting the names as being stored; stored names become known."""
        admission.has_left = True
        for name in admission.pointers if admission.counts else ():
            self._storing[name] -= 1
            if not self._storing[name]:
                del self._storing[name]
        if stored:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known |= dict.fromkeys(admission.pointers, self._monotonic())

    async def _look(self, asked: Sequence["Admission"]) -> Sequence[QuotaExceeded | None]:
        storing = set(self._storing)
        wanted = {name for admission in asked for name in admission.pointers}

        async def read(connection: Connection) -> tuple[set[str], int]:
            found = await self._find(connection, self._namespace, wanted - storing)
            new = wanted - storing - set(found)
            if not new:
                return new, 0
            enough = max(0, self._most - len(storing) - len(new))
            others = await self._count_others(
                connection, self._namespace, storing, enough, self._most
            )
            return new, others + len(storing)

        new, taken = await self._database.read(read)
        answers: list[QuotaExceeded | None] = []
        for admission in asked:
            added = [name for name in admission.pointers if name in new]
            beyond = added[max(0, self._most - taken) :]
            if not beyond and not admission.has_left:
                self._count(admission)
                new.difference_update(added)
                taken += len(added)
                if added and taken + len(self._known) > self._most:
                    self._known.clear()  # names that are no longer in use must not count as known
            answers.append(self._exceeded(admission, beyond) if beyond else None)
        return answers

    def _count(self, admission: "Admission") -> None:
        admission.counts = True
        self._storing.update(admission.pointers.keys())

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

    __slots__ = ("_quota", "counts", "has_left", "pointers")

    def __init__(self, quota: Quota, pointers: Mapping[str, str]) -> None:
        self._quota = quota
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
    """The quotas of a namespace."""

    queues: Quota
    tags: Quota

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return the quotas of the settings' namespace."""
        where = database, settings.namespace
        return cls(
            queues=Quota(
                "queues",
                settings.max_queues,
                *where,
                in_use.queues,
                in_use.other_queues,
                expected=[DEFAULT_QUEUE],
            ),
            tags=Quota("tags", settings.max_tags, *where, in_use.named_tags, in_use.other_tags),
        )

    def know(self, queue: str, tags: Collection[str]) -> bool:
        """Return whether these names are known, so that they need no admission."""
        return self.queues.knows((queue,)) and self.tags.knows(tags)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self.queues.close()
        await self.tags.close()


def of_items(items: Sequence[NewTask]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the pointers to the queues and the tags of a batch, for equal names to the first."""
    queues: dict[str, str] = {}
    tags: dict[str, str] = {}
    for position, item in enumerate(items):
        if item.queue not in queues:
            queues[item.queue] = f"/items/{position}/queue"
        for name, pointer in of_tags(item.tags, f"/items/{position}").items() if item.tags else ():
            tags.setdefault(name, pointer)
    return queues, tags


def of_tags(names: Sequence[str], of: str = "") -> dict[str, str]:
    """Return the pointers to the tags of the task at the pointer `of`."""
    found: dict[str, str] = {}
    for position, name in enumerate(names):
        found.setdefault(name, f"{of}/tags/{position}")
    return found
