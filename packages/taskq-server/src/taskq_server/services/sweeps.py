"""Share the janitor's sweeps out among the workers."""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Database
from taskq_server.crud import sweeps
from taskq_server.domain.sweeps import Share


class SweepService:
    """The rows of the kinds of sweeps.

    Args:
        database: holds the rows.
        clock: for readers of the rows, aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def shares(self) -> list[Share]:
        """Return the rows of all kinds."""
        return await self._database.read(sweeps.all_shares)

    async def take(self, kind: str, holder: UUID, seen: int | None) -> bool:
        """Take a kind, unless its counter has moved since it was seen; return whether it was taken.

        Args:
            kind: of the sweep.
            holder: the worker that takes it.
            seen: the counter; None if there was no row.
        """
        now = self._clock()
        return await self._database.write(
            lambda c: sweeps.take(c, kind, holder, seen=seen, now=now)
        )

    async def renew(self, kinds: Collection[str], holder: UUID) -> bool:
        """Renew kinds, and return whether the holder still has all of them."""
        now = self._clock()
        renewed = await self._database.write(lambda c: sweeps.renew(c, kinds, holder, now))
        return renewed == len(kinds)
