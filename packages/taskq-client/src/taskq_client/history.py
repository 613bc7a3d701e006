"""What happened lately, as plain data: the queues minute by minute, and failures in groups."""

from datetime import datetime

from pydantic import Field

from taskq_client._model import Model


class QueueHistory(Model):
    """One queue, minute by minute: each list has one value for each minute.

    Attributes:
        succeeded: The attempts that succeeded.
        failed: The attempts that failed, timed out or lost their worker.
        run_seconds_mean: The mean of how long these attempts ran; None without any.
        depth: The tasks that were queued or retrying when the minute was measured; None where no
            worker measured it.
        running: The tasks that were running then.
        oldest_age_seconds: Seconds for which the oldest due task had been due then.
    """

    succeeded: list[int] = Field(default_factory=list)
    failed: list[int] = Field(default_factory=list)
    run_seconds_mean: list[float | None] = Field(default_factory=list)
    depth: list[int | None] = Field(default_factory=list)
    running: list[int | None] = Field(default_factory=list)
    oldest_age_seconds: list[float | None] = Field(default_factory=list)


class StatsHistory(Model):
    """The numbers of the last minutes.

    Attributes:
        minutes: When each minute began, oldest first; the last one is not over yet.
        queues: The queues that had tasks in these minutes, by name.
        exact: Whether these are all minutes that were asked for; False if minutes times queues
            would be too many.
    """

    minutes: list[datetime] = Field(default_factory=list)
    queues: dict[str, QueueHistory] = Field(default_factory=dict)
    exact: bool = True


class FailureGroup(Model):
    """Tasks of one handler whose last attempts failed alike.

    Attributes:
        handler: The handler.
        type: The type of the error.
        message: The first line of the error's message.
        failed: The number of tasks that failed for good.
        retrying: The number of tasks that are retrying now.
        last_at: When the newest of them failed.
        example: The id of the newest of them.
    """

    handler: str
    type: str
    message: str
    failed: int
    retrying: int
    last_at: datetime
    example: str


class Failures(Model):
    """Failed tasks in groups.

    Attributes:
        items: The groups, the largest first.
        exact: Whether these are all; False if there are too many tasks or groups.
    """

    items: list[FailureGroup] = Field(default_factory=list)
    exact: bool = True
