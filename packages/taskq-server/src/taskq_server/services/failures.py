"""What fails: the failures of the last time, grouped."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskq_server.core.database import Database
from taskq_server.crud.failures import failures
from taskq_server.domain import limits
from taskq_server.domain.caller import Caller
from taskq_server.domain.failures import FailureGroup, grouped


@dataclass(frozen=True, slots=True)
class Failures:
    """Groups of failures, the largest first; `exact` is False if any failures are left out."""

    groups: list[FailureGroup]
    exact: bool


class FailureService:
    """Group failures, at a bounded cost.

    Args:
        database: holds the tasks.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def read(self, caller: Caller, since_seconds: float) -> Failures:
        """Return the tasks that failed for good lately, and those that are retrying, in groups.

        Args:
            caller: sees the tasks of its namespace.
            since_seconds: how long ago a task may have failed for good.
        """
        since = self._clock() - timedelta(seconds=since_seconds)
        found, are_all = await self._database.read(
            lambda c: failures(c, caller.namespace, since, most=limits.FAILURES)
        )
        groups = grouped(found)
        shown = groups[: limits.FAILURE_GROUPS]
        return Failures(shown, are_all and len(shown) == len(groups))
