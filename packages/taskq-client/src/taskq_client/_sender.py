"""Send a request, and send it again while that may help and time is left."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self
from uuid import uuid4

from taskq_client import _answers, _requests
from taskq_client._channels import Answer, Channel, Request
from taskq_client._inputs import OF_A_WAIT, seconds
from taskq_client._settings import positive
from taskq_client.errors import TaskqError
from taskq_client.models import Duration
from taskq_client.retry import RetryPolicy, pause_after

DEADLINE = 120.0
LONGEST_PAUSE = 86_400.0
JSON = {"Content-Type": "application/json"}

log = logging.getLogger("taskq.client")


def _random_key() -> str:
    return uuid4().hex


@dataclass(frozen=True)
class RetryingSender:
    """A channel with retries. Time and randomness are arguments, so that tests decide them.

    Attributes:
        channel: Sends a request once.
        policy: When a request is sent again.
        timeout: Seconds one try may take.
        clock: A monotonic clock, in seconds.
        new_key: Makes an idempotency key.
        deadline: Seconds a request may take with all its tries and the pauses between them, unless
            it waits for a task.
    """

    channel: Channel
    policy: RetryPolicy
    timeout: float
    clock: Callable[[], float] = time.monotonic
    new_key: Callable[[], str] = _random_key
    deadline: float = DEADLINE

    def __post_init__(self) -> None:
        positive("timeout", self.timeout)
        positive("deadline", self.deadline)

    def with_options(
        self, timeout: Duration | None, max_retries: int | None, deadline: Duration | None
    ) -> Self:
        """Make a copy with other options; None leaves one as it is."""
        policy = self.policy
        return replace(
            self,
            timeout=self.timeout if timeout is None else positive("timeout", timeout),
            policy=policy if max_retries is None else replace(policy, max_retries=max_retries),
            deadline=self.deadline if deadline is None else positive("deadline", deadline),
        )

    async def _get(self, path: str) -> Answer:
        return await self._send_again(Request("GET", path, self.timeout))

    async def _post(self, path: str, body: bytes, key: str, **headers: str) -> Answer:
        return await self._send_again(self._submission(path, body, key, **headers))

    def _submission(self, path: str, body: bytes, key: str, **headers: str) -> Request:
        headers = {**JSON, **_requests.idempotency_header(key), **headers}
        return Request("POST", path, self.timeout, headers, body)

    async def _send_again(
        self,
        request: Request,
        failures: list[TaskqError] | None = None,
        *,
        any_status: bool = False,
    ) -> Answer:
        ends_at = self.clock() + self.deadline
        delays = self.policy.delays()
        while True:
            left = ends_at - self.clock()
            try:
                answer = await self._send(replace(request, timeout=min(request.timeout, left)))
                if not any_status:
                    _answers.check(answer)
                return answer
            except TaskqError as error:
                pause = pause_after(error, delays)
                if pause is None or self.clock() + pause >= ends_at:
                    raise
                if failures is not None:
                    failures.append(error)
                log.debug("%s: again in %.3f s", repr(request), pause)
            await self.channel.sleep(pause)

    async def _send(self, request: Request) -> Answer:
        started_at = self.clock()
        outcome = "no answer"
        try:
            answer = await self.channel.send(request)
            outcome = str(answer.status)
            return answer
        finally:
            self._log(request, outcome, started_at)

    def _log(self, request: Request, outcome: str, started_at: float) -> None:
        took = self.clock() - started_at
        log.debug("%s: %s, %.3f s", repr(request), outcome, took)


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
