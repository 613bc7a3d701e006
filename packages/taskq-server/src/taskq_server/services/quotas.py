"""How many names a namespace may have in use: names cost others, since all of them are listed.

A submit whose names this process has used or seen less than a minute ago costs nothing. What is new
is admitted by what the database says, and by what this process is storing; what other processes
store at the same moment comes on top.
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
"""Returns those names of a namespace that are in use."""

CountOthers = Callable[[Connection, str, Collection[str], int, int], Awaitable[int]]
"""Returns how many others are in use: about, if that is enough to know; and at most so many."""


class Quota:
    """The names of one kind that are in use, and how many there may be.

    Args:
        kind: what they are called, in the plural.
        most: how many may be in use.
        database: holds the tasks.
        namespace: of all tasks.
        find: looks names up.
        count_others: counts.
        expected: names that are taken for known at first.
        monotonic: seconds that never go back.
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
        """Wait for the reads that are under way."""
        await self._looks.close()

    def knows(self, names: Collection[str]) -> bool:
        """Return whether all names are in use, as far as this process has seen, and still are."""
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
            pointers: where each name is in the body.
        """
        return Admission(self, pointers)

    async def enter(self, admission: "Admission") -> None:
        """Admit all names, or none.

        Raises:
            QuotaExceeded: there would be too many.
        """
        if not self.knows(admission.pointers):
            await self._looks(admission)

    def leave(self, admission: "Admission", *, stored: bool) -> None:
        """Count names no longer as being stored, and know those that were."""
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
                    self._known.clear()  # some may be in use no more: they would come on top
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
    """Names that are stored while the block runs; they count from its begin on.

    Raises:
        QuotaExceeded: a name is new, and there are as many as there may be.
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
        """Return whether nobody need be admitted to use these names."""
        return self.queues.knows((queue,)) and self.tags.knows(tags)

    async def close(self) -> None:
        """Wait for the reads that are under way."""
        await self.queues.close()
        await self.tags.close()


def of_items(items: Sequence[NewTask]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the pointers to the queues and to the tags of a batch, the first of equal ones."""
    queues: dict[str, str] = {}
    tags: dict[str, str] = {}
    for position, item in enumerate(items):
        if item.queue not in queues:
            queues[item.queue] = f"/items/{position}/queue"
        for name, pointer in of_tags(item.tags, f"/items/{position}").items() if item.tags else ():
            tags.setdefault(name, pointer)
    return queues, tags


def of_tags(names: Sequence[str], of: str = "") -> dict[str, str]:
    """Return the pointers to the tags of a task, which is at the pointer `of`."""
    found: dict[str, str] = {}
    for position, name in enumerate(names):
        found.setdefault(name, f"{of}/tags/{position}")
    return found
