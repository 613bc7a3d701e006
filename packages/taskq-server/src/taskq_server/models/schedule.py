"""The tables `schedules` and `schedule_fires`: tasks that are submitted at their times."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.schedule import CatchUp, Overlap
from taskq_server.models.base import (
    Base,
    LongText,
    TaskId,
    UtcDateTime,
    ascii_text,
    closed_set,
    options,
)


class Schedule(Base):
    """A schedule. `task` is JSON of the wire; `globs` is a JSON list.

    Janitors look at `due_at`, which is null while there is nothing to do.
    """

    __tablename__ = "schedules"
    __table_args__ = options(
        UniqueConstraint("namespace", "name"),
        Index(None, "due_at"),
        Index(None, "namespace", "handler", "name"),
        Index(None, "key_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    name: Mapped[str] = mapped_column(ascii_text(limits.SCHEDULE_LENGTH))
    cron: Mapped[str | None] = mapped_column(String(limits.CRON_LENGTH))
    every_seconds: Mapped[float | None]
    timezone: Mapped[str] = mapped_column(String(limits.TIMEZONE_LENGTH))
    overlap: Mapped[Overlap] = mapped_column(closed_set(Overlap, "overlap"))
    catch_up: Mapped[CatchUp] = mapped_column(closed_set(CatchUp, "catch_up"))
    catch_up_seconds: Mapped[float]
    jitter_seconds: Mapped[float]
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(String(limits.SCHEDULE_NOTE_LENGTH))
    task: Mapped[str] = mapped_column(LongText)
    handler: Mapped[str] = mapped_column(ascii_text(limits.HANDLER_LENGTH))
    key_id: Mapped[str | None] = mapped_column(ascii_text(limits.KEY_ID_LENGTH))
    globs: Mapped[str] = mapped_column(Text)
    declaration: Mapped[str | None] = mapped_column(ascii_text(64))
    version: Mapped[int]
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_fire_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    queued_fire_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_fire_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_task_id: Mapped[UUID | None] = mapped_column(TaskId)
    fired: Mapped[int]
    skipped: Mapped[int]
    missed: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(String(limits.SCHEDULE_ERROR_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ScheduleFire(Base):
    """The task of one time of a schedule, as long as there is the task.

    The name is here, too, because a schedule may go before its tasks.
    """

    __tablename__ = "schedule_fires"
    __table_args__ = options(
        UniqueConstraint("task_id"),
        Index(None, "namespace", "name", "task_id"),
        sqlite_with_rowid=False,
    )

    schedule_id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    fire_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    task_id: Mapped[UUID] = mapped_column(TaskId)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    name: Mapped[str] = mapped_column(ascii_text(limits.SCHEDULE_LENGTH))
