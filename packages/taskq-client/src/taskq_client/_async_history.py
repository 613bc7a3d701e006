"""The operations of the asyncio client that tell what happened lately."""

from taskq_client._async_waits import AsyncWaits
from taskq_client.history import Failures, StatsHistory
from taskq_client.models import Duration


class AsyncHistory(AsyncWaits):
    """Operations that look back."""

    __slots__ = ()

    async def stats_history(self, minutes: int = 60, *, queue: str | None = None) -> StatsHistory:
        """Fetch what ended, waited and ran in each queue, minute by minute.

        Args:
            minutes: How many minutes, up to the present one; at most seven days.
            queue: The only queue to tell of. Default: all that had tasks.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.look_back.history(minutes, queue)

    async def failures(self, since_seconds: Duration = 3600.0) -> Failures:
        """Fetch the tasks that failed for good lately, and those that are retrying, in groups.

        A group has one handler, one type of error and one first line of its message.

        Args:
            since_seconds: Seconds, or a timedelta, since when tasks have failed for good; at most
                thirty days.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.look_back.failures(since_seconds)
