"""Send a request, and send it again while that may help and time is left."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self
from uuid import uuid4

from taskq_client import _answers, _requests
from taskq_client._channels import Answer, Channel, Request
from taskq_client._settings import positive
from taskq_client.errors import TaskqError
from taskq_client.models import Duration
from taskq_client.retry import RetryPolicy, pause_after

DEADLINE = 120.0
JSON = {"Content-Type": "application/json"}

_log = logging.getLogger("taskq.client")


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

    async def get(self, path: str) -> Answer:
        return await self.send(Request("GET", path, self.timeout))

    async def post(self, path: str, body: bytes, key: str, **headers: str) -> Answer:
        return await self.send(self.submission(path, body, key, **headers))

    def submission(self, path: str, body: bytes, key: str, **headers: str) -> Request:
        headers = {**JSON, **_requests.idempotency_header(key), **headers}
        return Request("POST", path, self.timeout, headers, body)

    async def send(
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
                answer = await self.send_once(replace(request, timeout=min(request.timeout, left)))
                if not any_status:
                    _answers.check(answer)
                return answer
            except TaskqError as error:
                pause = pause_after(error, delays)
                if pause is None or self.clock() + pause >= ends_at:
                    raise
                if failures is not None:
                    failures.append(error)
                _log.debug("%s: again in %.3f s", repr(request), pause)
            await self.channel.sleep(pause)

    async def send_once(self, request: Request) -> Answer:
        started_at = self.clock()
        outcome = "no answer"
        try:
            answer = await self.channel.send(request)
            outcome = str(answer.status)
            return answer
        finally:
            self.log(request, outcome, started_at)

    def log(self, request: Request, outcome: str, started_at: float) -> None:
        took = self.clock() - started_at
        _log.debug("%s: %s, %.3f s", repr(request), outcome, took)
