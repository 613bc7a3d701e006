"""The `tasks` table: one row is one task."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.task import Priority, Status
from taskq_server.models.base import (
    Base,
    LongText,
    PriorityNumber,
    TaskId,
    UtcDateTime,
    ascii_text,
    closed_set,
    options,
)


class Task(Base):
    """A stored task. `score` is null unless the task waits for a worker."""

    __tablename__ = "tasks"
    __table_args__ = options(
        UniqueConstraint("namespace", "idempotency_hash"),
        Index(None, "namespace", "queue", "handler", "priority", "score"),
        Index(None, "status", "finished_at", "worker_id"),
        Index(None, "namespace", "status", "id"),
        Index(None, "namespace", "priority", "id"),
        Index(None, "namespace", "handler", "id"),
        Index(None, "namespace", "queue", "id"),
    )

    id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    idempotency_hash: Mapped[str | None] = mapped_column(ascii_text(64))
    fingerprint: Mapped[str | None] = mapped_column(ascii_text(64))
    handler: Mapped[str] = mapped_column(ascii_text(limits.HANDLER_LENGTH))
    title: Mapped[str] = mapped_column(String(limits.TITLE_LENGTH))
    description: Mapped[str | None] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(LongText)
    status: Mapped[Status] = mapped_column(closed_set(Status, "status"))
    priority: Mapped[Priority] = mapped_column(PriorityNumber)
    queue: Mapped[str] = mapped_column(ascii_text(limits.QUEUE_LENGTH))
    run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    score: Mapped[int | None] = mapped_column(BigInteger)
    timeout_seconds: Mapped[float]
    max_retries: Mapped[int]
    current_retry_count: Mapped[int]
    backoff_base_seconds: Mapped[float | None]
    backoff_max_seconds: Mapped[float | None]
    attempt: Mapped[int]
    lost_count: Mapped[int]
    worker_id: Mapped[UUID | None] = mapped_column(TaskId)
    progress: Mapped[str | None] = mapped_column(Text)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    traceparent: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submitted_by: Mapped[str | None] = mapped_column(ascii_text(limits.KEY_ID_LENGTH))
