"""One request and its answer, tried again while that may help and time is left."""

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
class Exchange:
    """What all operations share; what they need of time and chance comes in.

    Attributes:
        channel: The way to the server.
        policy: When a request is sent again.
        timeout: Seconds one try may take.
        clock: Seconds that only grow.
        new_key: Makes an idempotency key.
        deadline: Seconds an operation that does not wait for a task may take, with all its tries
            and the pauses between them.
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
        return await self._exchange(Request("GET", path, self.timeout))

    async def _post(self, path: str, body: bytes, key: str, **headers: str) -> Answer:
        return await self._exchange(self._submission(path, body, key, **headers))

    def _submission(self, path: str, body: bytes, key: str, **headers: str) -> Request:
        headers = {**JSON, **_requests.idempotency_header(key), **headers}
        return Request("POST", path, self.timeout, headers, body)

    async def _exchange(
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


class Patience:
    """How long to go on asking, through failures that pass.

    Args:
        core: Whose clock, policy and channel to use.
        timeout: How long, or None for as long as it takes.
        known: Whether the server is known to exist; one that never answered may not, and only a
            deadline makes it worth asking on.
    """

    def __init__(self, core: Exchange, timeout: Duration | None, *, known: bool) -> None:
        self._core = core
        self._deadline = core.clock() + wait_seconds(timeout)
        self.answered = known
        self._delays = core.policy.delays(endless=known or self._deadline < math.inf)

    @property
    def left(self) -> float:
        """Seconds that are left; infinite without a deadline."""
        return max(0.0, self._deadline - self._core.clock())

    def renew(self) -> None:
        """Note that the server has answered: what fails from now on is sat out."""
        self.answered = True
        self._delays = self._core.policy.delays(endless=True)

    def pause(self, error: TaskqError) -> float:
        """Choose the pause after a failure, or raise it."""
        pause = pause_after(error, self._delays, time_left=self.left)
        if pause is None or (not self.answered and not self.left):
            raise error
        return pause

    async def sleep(self, seconds: float) -> None:
        """Let time pass, but not beyond the deadline, nor for more than a day."""
        await self._core.channel.sleep(max(0.0, min(seconds, self.left, LONGEST_PAUSE)))


def wait_seconds(timeout: Duration | None) -> float:
    """Read how long to wait, in seconds; None is for as long as it takes."""
    return math.inf if timeout is None else seconds("timeout", timeout, OF_A_WAIT)
