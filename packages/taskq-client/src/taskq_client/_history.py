"""The operations that tell what happened lately."""

from taskq_client import _answers, _requests
from taskq_client._inputs import OF_A_LOOK_BACK, count, seconds, text
from taskq_client._sender import RetryingSender
from taskq_client.history import Failures, StatsHistory
from taskq_client.models import Duration


class LookBack:
    """Read the history of queues, and failures.

    Args:
        sender: Sends the requests.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def history(self, minutes: int, queue: str | None) -> StatsHistory:
        wanted = [("minutes", str(count("minutes", minutes)))]
        if queue is not None:
            wanted.append(("queue", text("queue", queue)))
        answer = await self._sender.get(f"/stats/history?{_requests.query(wanted)}")
        return _answers.decode(answer, StatsHistory)

    async def failures(self, since_seconds: Duration) -> Failures:
        ago = seconds("since_seconds", since_seconds, OF_A_LOOK_BACK)
        answer = await self._sender.get(f"/failures?since_seconds={ago}")
        return _answers.decode(answer, Failures)
