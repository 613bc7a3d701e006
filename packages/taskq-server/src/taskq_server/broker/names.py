"""Every key and channel that taskq uses in Redis."""

import asyncio
import logging
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

_log = logging.getLogger("taskq.server.broker")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one deployment's keys and channels.

    All names begin with one hash tag, so that a Redis Cluster keeps them together. Users choose
    namespaces and queues, so the namespace is quoted: no two pairs of both share a name.

    Args:
        prefix: separates taskq from other applications on the same Redis; has no braces.
        deployment: the id that the database keeps; letters and digits.
    """

    prefix: str
    deployment: str

    def queue(self, namespace: str, queue: str) -> str:
        """Return the key of the sorted set of a queue's doorbells."""
        return f"{self._of(namespace)}:queue:{queue}"

    def aside(self, namespace: str, queue: str) -> str:
        """Return the key of a queue's doorbells for workers with a free thread only."""
        return f"{self._of(namespace)}:aside:{queue}"

    def ring(self, namespace: str, queue: str) -> str:
        """Return the channel that wakes the workers of a queue."""
        return f"{self._of(namespace)}:ring:{queue}"

    def changed(self, namespace: str) -> str:
        """Return the channel for the ids of a namespace's changed tasks."""
        return f"{self._of(namespace)}:changed"

    def cancel(self, namespace: str) -> str:
        """Return the channel for the ids of a namespace's running tasks to cancel."""
        return f"{self._of(namespace)}:cancel"

    def queues(self, namespace: str) -> str:
        """Return the channel that tells of paused and resumed queues of a namespace."""
        return f"{self._of(namespace)}:queues"

    @property
    def keys(self) -> str:
        """The channel that tells of changed API keys, of all namespaces."""
        return f"{{{self.prefix}:{self.deployment}}}:keys"

    @property
    def sessions(self) -> str:
        """The channel that tells of changed sessions of browsers, of all namespaces."""
        return f"{{{self.prefix}:{self.deployment}}}:sessions"

    @property
    def rates(self) -> str:
        """The beginning of the keys that count requests; no namespace has an empty name."""
        return f"{self._of('')}:rates"

    def _of(self, namespace: str) -> str:
        return f"{{{self.prefix}:{self.deployment}}}:{_quoted(namespace)}"


@lru_cache(maxsize=1_000)
def _quoted(namespace: str) -> str:
    return quote(namespace, safe="")


class Naming:
    """The names that this process uses, known once the deployment id is read from the database."""

    def __init__(self) -> None:
        self.names: Names | None = None
        self._told = asyncio.Event()
        self._missed = False

    def tell(self, names: Names) -> None:
        """Set the names, once."""
        self.names = names
        self._told.set()

    def miss(self) -> None:
        """Log, once, that the database answers but has no deployment id."""
        if not self._missed:
            _log.warning(
                "the database has no deployment id, so Redis is not used: run `taskq-server db "
                "upgrade`, and `taskq-server db new-deployment` if that does not help"
            )
        self._missed = True

    async def known(self) -> Names:
        """Wait for the names."""
        await self._told.wait()
        assert self.names is not None
        return self.names
