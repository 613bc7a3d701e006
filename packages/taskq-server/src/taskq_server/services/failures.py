"""What fails: the failures of the last time, grouped."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskq_server.core.database import Database
from taskq_server.core.turns import Turns
from taskq_server.crud.failures import failures
from taskq_server.domain import limits
from taskq_server.domain.caller import Caller
from taskq_server.domain.failures import FailureGroup, FailureGroups

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Failures:
    """Groups of failures, the largest first; `exact` is False if any failures are left out."""

    groups: list[FailureGroup]
    exact: bool


class FailureService:
    """Group failures, at a bounded cost, in pieces between which others have their turn.

    Args:
        database: holds the tasks.
        clock: aware UTC.
        turns: of the event loop.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], turns: Turns) -> None:
        self._database = database
        self._clock = clock
        self._turns = turns

    async def read(self, caller: Caller, since_seconds: float) -> Failures:
        """Return the tasks that failed for good lately, and those that are retrying, in groups.

        Args:
            caller: sees the tasks of its namespace.
            since_seconds: how long ago a task may have failed for good.
        """
        since = self._clock() - timedelta(seconds=since_seconds)
        pace = self._turns.pace()
        found, are_all = await self._database.read(
            lambda c: failures(c, caller.namespace, since, most=limits.FAILURES, pace=pace)
        )
        counted = FailureGroups()
        for start in range(0, len(found), _AT_ONCE):
            await pace.rest()
            counted.add(found[start : start + _AT_ONCE])
        groups = counted.largest_first()
        shown = groups[: limits.FAILURE_GROUPS]
        return Failures(shown, are_all and len(shown) == len(groups))
