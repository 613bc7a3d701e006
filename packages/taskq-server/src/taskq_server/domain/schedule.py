"""Schedules: tasks that are submitted at their times.

A schedule is one row, and so is what is known of its next time. Who fires it locks the row, so that
each time is decided about once.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from taskq_server.domain import scopes
from taskq_server.domain.times import Timing, with_jitter


class Overlap(StrEnum):
    """What happens at a time while the last task is not final."""

    SKIP = "skip"
    """Nothing: the time is skipped."""
    QUEUE = "queue"
    """The newest time waits for the end of the last task; others are skipped."""
    ALLOW = "allow"
    """The task is submitted."""
    CANCEL = "cancel"
    """The last task is cancelled, and the time waits for its end."""


class CatchUp(StrEnum):
    """What happens to times that passed while nobody fired."""

    LAST = "last"
    """The newest fires, and the others are missed."""
    ALL = "all"
    """All fire."""
    NONE = "none"
    """All are missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as it is stored. Times are aware UTC; `task` is JSON text.

    Attributes:
        id: of the schedule; another one of the same name has another id.
        namespace: of its tasks.
        name: unique in the namespace.
        cron: when it fires; None if it has `every_seconds`.
        every_seconds: between two times.
        timezone: in which `cron` is read.
        overlap: what happens while the last task is not final.
        catch_up: what happens to times that passed while nobody fired.
        catch_up_seconds: times older than this are missed.
        jitter_seconds: each task is up to so much later than its time.
        starts_at: no time is earlier.
        ends_at: no time is later.
        paused_at: since when it does not fire; None if it fires.
        note: for people.
        task: what is submitted, as JSON of the wire.
        handler: of the task.
        key_id: the key that has set it; None where no key is asked for.
        globs: the scopes `tasks:run:` of that key, by which each task is judged.
        declaration: the hash of what a worker's code declares; None for one that was set by a
            request.
        version: counts what people change.
        due_at: when to look at it next, jitter included; None while there is nothing to do.
        next_fire_at: its next time; None if it is paused or has ended.
        queued_fire_at: the time that waits for the end of the last task.
        last_fire_at: the time of the last task.
        last_task_id: the last task, which may be deleted by now.
        fired: tasks that were submitted.
        skipped: times that overlapped.
        missed: times that passed while nobody fired, or whose task could not be stored.
        last_error: why the last task could not be stored; None if it was.
        created_at: when it was made.
        updated_at: when people have changed it.
    """

    id: UUID
    namespace: str
    name: str
    cron: str | None
    every_seconds: float | None
    timezone: str
    overlap: Overlap
    catch_up: CatchUp
    catch_up_seconds: float
    jitter_seconds: float
    starts_at: datetime | None
    ends_at: datetime | None
    paused_at: datetime | None
    note: str | None
    task: str
    handler: str
    key_id: str | None
    globs: tuple[str, ...]
    declaration: str | None
    version: int
    due_at: datetime | None
    next_fire_at: datetime | None
    queued_fire_at: datetime | None
    last_fire_at: datetime | None
    last_task_id: UUID | None
    fired: int
    skipped: int
    missed: int
    last_error: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def timing(self) -> Timing:
        """When it fires, as a value of its own."""
        return Timing(
            cron=self.cron,
            every_seconds=self.every_seconds,
            timezone=self.timezone,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            created_at=self.created_at,
        )

    @property
    def outline(self) -> "Schedule":
        """The same schedule without the contents of its task: no payload, and no error of it."""
        return replace(
            self, task=json.dumps({**json.loads(self.task), "payload": {}}), last_error=None
        )

    def fires_at(self, fire_at: datetime) -> datetime:
        """Return when one of its times fires, jitter included."""
        return with_jitter(fire_at, self.jitter_seconds, self.id)


def globs_of(granted: Collection[str]) -> tuple[str, ...]:
    """Return those of a caller's scopes that say which handlers a schedule of theirs may run."""
    return tuple(sorted(scope for scope in granted if scope.startswith(scopes.RUN)))
