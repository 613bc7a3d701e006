"""The namespaces whose tasks a worker runs: some that are named, or all that there are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.services.namespaces import Namespaces

Listener = Callable[[Sequence[str]], None]
"""Is called with all namespaces when there are new ones."""


class ServedNamespaces:
    """The namespaces that a worker serves now.

    Args:
        named: their names; `*` alone stands for all, those too that are made later.
        namespaces: know which there are when the worker starts; each beat tells it from then on.
    """

    def __init__(self, named: Sequence[str], namespaces: Namespaces) -> None:
        self._are_all = ALL_NAMESPACES in named
        self._namespaces = namespaces
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

    def heard(self, found: Sequence[str] | None) -> None:
        """Take up what a beat has told; None if it told nothing."""
        if self._are_all and found is not None:
            self._tell(found)

    def _tell(self, found: Sequence[str]) -> None:
        if tuple(found) != tuple(self.names):
            self.names = found
            for listener in tuple(self._listeners):
                listener(found)
