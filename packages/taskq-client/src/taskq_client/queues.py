"""Queues, as plain data."""

from datetime import datetime

from taskq_client._model import Model


class Queue(Model):
    """A queue as it stands.

    Attributes:
        name: The name of the queue.
        paused: Whether none of its tasks may start.
        paused_at: Since when it is paused; None if it is not.
        note: Why it is paused, for people.
        depth: The number of tasks that are queued or retrying, due or not.
        running: The number of tasks that run now.
        oldest_age_seconds: Seconds for which the oldest due task has been due; None without one.
        throughput_per_minute: The attempts that ran to their end, successful or not, on average
            over the last five minutes.
        workers: The live workers that listen to it.
    """

    name: str
    paused: bool = False
    paused_at: datetime | None = None
    note: str | None = None
    depth: int = 0
    running: int = 0
    oldest_age_seconds: float | None = None
    throughput_per_minute: float = 0.0
    workers: int = 0
