"""`WorkerSettings`: the settings of arq's worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Function, func

from taskq_server.broker.connection import JOB_FUNCTION, decode, encode
from taskq_server.core.config import Settings
from taskq_server.worker.functions import execute_task


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """arq's settings for a taskq worker.

    Every arq job is one attempt. The row decides whether another attempt follows, so arq itself
    never retries (`retry_jobs`) and keeps no result; `max_tries` and `job_timeout` are the defaults
    of tasks.

    Attributes:
        max_jobs: most attempts that run at once.
        job_timeout: seconds that one attempt may run.
        max_tries: `max_retries` + 1.
        poll_delay: seconds that an idle worker sleeps without a doorbell.
    """

    max_jobs: int
    job_timeout: float
    max_tries: int
    poll_delay: float
    functions: tuple[Function, ...] = field(
        default_factory=lambda: (func(execute_task, name=JOB_FUNCTION, keep_result=0),)
    )
    keep_result: int = 0
    retry_jobs: bool = False
    handle_signals: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "WorkerSettings":
        """Return arq's settings for the server's settings."""
        return cls(
            max_jobs=settings.concurrency,
            job_timeout=settings.timeout_seconds,
            max_tries=settings.max_retries + 1,
            poll_delay=settings.poll_seconds,
        )

    def arguments(self, redis: ArqRedis, ctx: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of `arq.Worker`."""
        return {
            "functions": self.functions,
            "redis_pool": redis,
            "ctx": dict(ctx),
            "max_jobs": self.max_jobs,
            "job_timeout": self.job_timeout,
            "max_tries": self.max_tries,
            "poll_delay": self.poll_delay,
            "keep_result": self.keep_result,
            "retry_jobs": self.retry_jobs,
            "handle_signals": self.handle_signals,
            "job_serializer": encode,
            "job_deserializer": decode,
        }
