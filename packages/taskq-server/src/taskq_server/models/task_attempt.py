"""The `task_attempts` table: one row for each ended attempt."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.task import Outcome
from taskq_server.models.base import (
    Base,
    LongText,
    TaskId,
    UtcDateTime,
    ascii_text,
    closed_set,
    options,
)


class TaskAttempt(Base):
    """The end of one attempt.

    `next_score` is the task's score if it waits again after this attempt. `hook_done_at` is null
    while `on_retry` or `on_job_failure` still has to run for this transition; `handler` is copied
    from the task for the index that finds the pending hooks of one worker's handlers.
    """

    __tablename__ = "task_attempts"
    __table_args__ = options(Index(None, "handler", "hook_done_at", "finished_at"))

    task_id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    handler: Mapped[str] = mapped_column(ascii_text(limits.HANDLER_LENGTH))
    outcome: Mapped[Outcome] = mapped_column(closed_set(Outcome, "outcome"))
    result: Mapped[str | None] = mapped_column(LongText)
    error_type: Mapped[str | None] = mapped_column(String(limits.ERROR_TYPE_LENGTH))
    error_message: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    worker_id: Mapped[UUID | None] = mapped_column(TaskId)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_score: Mapped[int | None] = mapped_column(BigInteger)
    hook_done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
