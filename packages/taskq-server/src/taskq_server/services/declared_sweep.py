"""The janitors' part of declared schedules: workers end, and older declarations may be left."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from math import inf

from taskq_server.core.database import Database
from taskq_server.crud.pairs import Named
from taskq_server.services.declaring import Change, Declaring

_TOGETHER = 100
_PAUSE_SECONDS = 15.0
"""More than the pause of a janitor between two sweeps."""


class DeclaredSweep:
    """Put in force what handlers declare, after workers have ended.

    Nothing goes back to an older declaration before that would have been right for a whole lease:
    after an outage, workers of the newer release need as long to get their leases again.

    Args:
        database: holds what is declared, the rows of workers, and the schedules.
        clock: aware UTC.
        lease_seconds: for how long a worker that does not renew its lease is live.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._declaring = Declaring(clock)
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._swept_at = -inf
        self._back: dict[tuple[Named, str], float] = {}

    async def sweep(self) -> None:
        """Look once, and put in force what has been right for long enough."""
        changes = await self._database.read(self._declaring.outdated)
        pairs = self._ripe(changes)
        for start in range(0, len(pairs), _TOGETHER):
            judge = partial(
                self._declaring.judge, pairs=pairs[start : start + _TOGETHER], may_go_back=True
            )
            await self._database.write(judge)

    def _ripe(self, changes: Sequence[Change]) -> list[Named]:
        now = self._monotonic()
        if now - self._swept_at > self._lease_seconds + _PAUSE_SECONDS:
            self._back = {}  # somebody else has swept, or nobody could
        self._swept_at = now
        is_back = [(one.pair, one.known.digest) for one in changes if one.goes_back]
        self._back = {each: self._back.get(each, now) for each in is_back}
        ripe = {one for (one, _), at in self._back.items() if now - at >= self._lease_seconds}
        return [one.pair for one in changes if not one.goes_back or one.pair in ripe]
