"""The namespaces whose tasks a worker runs: some that are named, or all that there are."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.services.namespaces import Namespaces

Listener = Callable[[Sequence[str]], None]
"""Is called with all namespaces when there are new ones."""

_log = logging.getLogger("taskq.server.worker")


class ServedNamespaces:
    """The namespaces that a worker serves now.

    Args:
        named: their names; `*` alone stands for all, those too that are made later.
        namespaces: know which there are.
        seconds: time between two looks for new ones.
    """

    def __init__(self, named: Sequence[str], namespaces: Namespaces, seconds: float) -> None:
        self._are_all = ALL_NAMESPACES in named
        self._namespaces = namespaces
        self._seconds = seconds
        self._listeners: list[Listener] = []
        self.names: Sequence[str] = () if self._are_all else tuple(named)

    @contextmanager
    def telling(self, listener: Listener) -> Iterator[None]:
        """Tell a listener of new namespaces while the block runs."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def start(self) -> None:
        """Find out which there are.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        if self._are_all:
            self._tell(await self._namespaces.names())

    async def follow(self) -> None:
        """Take up new namespaces, for ever."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.start()
            except DatabaseUnavailable:
                _log.debug("new namespaces are looked for when the database answers")

    def _tell(self, found: Sequence[str]) -> None:
        if found != self.names:
            self.names = found
            for listener in tuple(self._listeners):
                listener(found)
