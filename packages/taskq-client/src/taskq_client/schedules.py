"""Schedules, as plain data: a task, and the times at which it is submitted."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from taskq_client._model import Model
from taskq_client._options import CatchUp as CatchUp
from taskq_client._options import Overlap as Overlap
from taskq_client._options import ScheduleChanges as ScheduleChanges
from taskq_client._options import ScheduleOptions as ScheduleOptions

OpenOverlap = Annotated[Overlap | str, Field(union_mode="left_to_right")]
OpenCatchUp = Annotated[CatchUp | str, Field(union_mode="left_to_right")]


class ScheduledTask(Model):
    """What a schedule submits at each of its times; None is what was left out."""

    handler: str
    payload: dict[str, Any] | None = None
    title: str | None = None
    description: str | None = None
    priority: str | None = None
    tags: list[str] | None = None
    queue: str | None = None
    timeout_seconds: float | None = None
    max_retries: int | None = None
    backoff_base_seconds: float | None = None
    backoff_max_seconds: float | None = None
    keep_seconds: float | None = None
    unique_key: str | None = None
    on_conflict: str | None = None


class Schedule(Model):
    """A schedule as it stands.

    Attributes:
        name: The name of the schedule; `code:` and a handler for one that code declares.
        cron: Its times as a line of cron; None if it has `every_seconds`.
        every_seconds: Its times as seconds from one to the next; None if it has `cron`.
        timezone: The zone in which cron reads the clock, by its IANA name.
        task: What it submits.
        overlap: What it does at a time at which its last task has not ended.
        catch_up: What it does about times that were missed.
        catch_up_seconds: For how long a missed time is worth a task.
        jitter_seconds: By how much its times are spread at most.
        starts_at: Before then it does not fire.
        ends_at: After then it does not fire.
        paused: Whether it fires at none of its times.
        paused_at: Since when it is paused; None if it is not.
        note: Why, for people.
        declared: Whether it is declared in code, which alone changes it.
        next_fire_at: Its next time, before jitter; None if there is none, or it is paused.
        last_fire_at: The time for which it has last submitted a task.
        last_task_id: That task.
        fired: The tasks that it has submitted.
        skipped: The times at which its last task had not ended.
        missed: The times that led to no task for another reason.
        last_error: Why the last time led to no task; None if it did.
        key_id: The key that made it; None where the server asks for none.
        version: Counts its changes, for `if_match`.
        created_at: When it was made.
        updated_at: When it was changed last.
    """

    name: str
    cron: str | None = None
    every_seconds: float | None = None
    timezone: str = "UTC"
    task: ScheduledTask
    overlap: OpenOverlap = Overlap.SKIP
    catch_up: OpenCatchUp = CatchUp.LAST
    catch_up_seconds: float = 86_400
    jitter_seconds: float = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    paused: bool = False
    paused_at: datetime | None = None
    note: str | None = None
    declared: bool = False
    next_fire_at: datetime | None = None
    last_fire_at: datetime | None = None
    last_task_id: str | None = None
    fired: int = 0
    skipped: int = 0
    missed: int = 0
    last_error: str | None = None
    key_id: str | None = None
    version: int
    created_at: datetime
    updated_at: datetime

    def __hash__(self) -> int:
        return hash(self.name)


class SchedulePreview(Model):
    """The times at which a schedule would fire.

    Attributes:
        times: The next times, in UTC.
        text: The rule in a sentence.
    """

    times: list[datetime]
    text: str = ""
