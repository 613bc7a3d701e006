"""Schedules that handlers declare in code: which is in force while several releases run.

Each worker says of each of its handlers what it declares, also that it declares nothing. The
database knows when each declaration of a handler was first published. Of those that a live worker
publishes, the one first published latest is in force; without any, the last one stays in force. So
a new release wins when its first worker starts, no restart of an older one changes that, and after
a rollback the older one wins once no worker of the newer release lives.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Self

from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.naming import DECLARED
from taskq_server.domain.worker import serves

NOTHING = "nothing"
"""The digest of declaring no schedule. It is greater than all others, which are hexadecimal."""

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Declaration:
    """When a handler is to run, as its decorator says.

    Attributes:
        cron: an expression; None for a period.
        every_seconds: the period; None for an expression.
        timezone: the zone of the expression.
    """

    cron: str | None
    every_seconds: float | None
    timezone: str

    @property
    def digest(self) -> str:
        """What tells it apart from other declarations of its handler."""
        return sha256(self.text.encode()).hexdigest()[: limits.DECLARATION_LENGTH]

    @property
    def text(self) -> str:
        """The JSON to store."""
        return json.dumps([self.cron, self.every_seconds, self.timezone])

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the declaration in stored JSON."""
        return cls(*json.loads(text))

    def __str__(self) -> str:
        """Return it in words."""
        if self.cron is None:
            return f"every {self.every_seconds or 0:.6f}".rstrip("0").rstrip(".") + " s"
        return f"{self.cron} in {self.timezone}"


@dataclass(frozen=True, slots=True)
class HandlerSchedule:
    """The schedule of a handler.

    Attributes:
        declaration: when the handler is to run.
        namespace: of its tasks; None for the one that the worker serves.
    """

    declaration: Declaration
    namespace: str | None = None


class Known(NamedTuple):
    """A declaration that was published, in the database.

    Attributes:
        namespace: for which it was published; `*` only if it is none.
        handler: that it is about.
        digest: of the declaration.
        first_published_at: aware UTC.
        text: the declaration; None if it is none.
    """

    namespace: str
    handler: str
    digest: str
    first_published_at: datetime
    text: str | None


@dataclass(frozen=True, slots=True)
class Publisher:
    """What one worker publishes.

    Attributes:
        namespaces: that it serves; `*` stands for all.
        handlers: the names of its handlers.
        declared: the namespace and the digest of each that declares a schedule.
    """

    namespaces: frozenset[str]
    handlers: frozenset[str]
    declared: Mapping[str, tuple[str, str]]

    def says(self, namespace: str, handler: str) -> str | None:
        """Return the digest of what it declares; None if it does not speak of the handler there."""
        if handler not in self.handlers or not serves(self.namespaces, namespace):
            return None
        where, digest = self.declared.get(handler, (None, NOTHING))
        return digest if where == namespace else NOTHING


def in_force(first: Mapping[str, datetime], live: Iterable[str], last: str) -> str:
    """Return the digest of the declaration in force of one handler in one namespace.

    Args:
        first: when each was first published.
        live: those that live workers publish.
        last: the one that was in force until now.
    """
    known = [one for one in live if one in first]
    return max(known, key=lambda one: (first[one], one), default=last)


def goes_back(first: Mapping[str, datetime], new: str, last: str) -> bool:
    """Return whether a declaration that comes into force is older than the last one.

    Args:
        first: when each was first published.
        new: comes into force.
        last: was in force until now.
    """
    return last in first and first[new] <= first[last]


def news(
    publisher: Publisher, known: Collection[Known], texts: Mapping[str, str], now: datetime
) -> list[Known]:
    """Return what is to be stored when a worker publishes, in the order of the primary key.

    What is published first is later than all that is known of its handler, whatever clocks say.

    Args:
        publisher: the worker.
        known: all that is known of its handlers, in each namespace that it serves and in `*`.
        texts: the declarations by digest.
        now: aware UTC.
    """
    there: dict[tuple[str, str], dict[str, datetime]] = {}
    for one in known:
        there.setdefault((one.namespace, one.handler), {})[one.digest] = one.first_published_at
    pairs = {(namespace, name) for namespace in publisher.namespaces for name in publisher.handlers}
    pairs |= {(namespace, name) for name, (namespace, _) in publisher.declared.items()}
    if ALL_NAMESPACES in publisher.namespaces:
        pairs |= there.keys()
    found: list[Known] = []
    for namespace, name in sorted(pairs):
        digest = publisher.says(namespace, name)
        times = dict(there.get((namespace, name), {}))
        of_all = there.get((ALL_NAMESPACES, name), {}).get(NOTHING)
        if not times and of_all is not None and namespace != ALL_NAMESPACES:
            # A worker of all namespaces has said so, before there was anything to say about this.
            times[NOTHING] = of_all
            found.append(Known(namespace, name, NOTHING, of_all, None))
        if digest is not None and digest not in times:
            first = max([now, *(time + _MOMENT for time in times.values())])
            found.append(Known(namespace, name, digest, first, texts.get(digest)))
    return found


def schedule_name(handler: str) -> str:
    """Return the name of the schedule that a handler declares."""
    return DECLARED + handler
