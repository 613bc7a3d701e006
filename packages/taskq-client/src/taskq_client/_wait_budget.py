"""The time that a waiting operation has, and its pauses between requests."""

import math

from taskq_client._inputs import OF_A_WAIT, seconds
from taskq_client._sender import RetryingSender
from taskq_client.errors import TaskqError
from taskq_client.models import Duration
from taskq_client.retry import pause_after

LONGEST_PAUSE = 86_400.0


class WaitBudget:
    """The time that a waiting operation has, outages of the server included.

    Args:
        sender: Provides the clock, the policy and the channel.
        timeout: How long the operation may wait; None sets no limit.
        known: Whether the server has answered before. If not, the url may be wrong, so without a
            timeout only a few failures are retried.
    """

    def __init__(self, sender: RetryingSender, timeout: Duration | None, *, known: bool) -> None:
        self._sender = sender
        self._deadline = sender.clock() + wait_seconds(timeout)
        self.answered = known
        self._delays = sender.policy.delays(endless=known or self._deadline < math.inf)

    @property
    def left(self) -> float:
        """The seconds left; infinite without a timeout."""
        return max(0.0, self._deadline - self._sender.clock())

    def renew(self) -> None:
        """Record that the server has answered; later failures are retried until the time is up."""
        self.answered = True
        self._delays = self._sender.policy.delays(endless=True)

    def pause(self, error: TaskqError) -> float:
        """Choose the pause after a failure, or raise it."""
        pause = pause_after(error, self._delays, time_left=self.left)
        if pause is None or (not self.answered and not self.left):
            raise error
        return pause

    async def sleep(self, seconds: float) -> None:
        """Sleep, but neither beyond the deadline nor for more than a day."""
        await self._sender.channel.sleep(max(0.0, min(seconds, self.left, LONGEST_PAUSE)))


def wait_seconds(timeout: Duration | None) -> float:
    """Read the timeout of a wait as seconds; None is infinite."""
    return math.inf if timeout is None else seconds("timeout", timeout, OF_A_WAIT)
