"""The `bulk_operations` table: one row is one action on all tasks that a filter finds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.bulk import Action, State
from taskq_server.models.base import (
    Base,
    LongText,
    TaskId,
    UtcDateTime,
    ascii_text,
    closed_set,
    options,
)


class BulkOperation(Base):
    """An operation. `filter` and `changes` are JSON of the wire; `globs` is a JSON list."""

    __tablename__ = "bulk_operations"
    __table_args__ = options(
        UniqueConstraint("namespace", "idempotency_hash"),
        Index(None, "state", "finished_at"),
        Index(None, "namespace", "state", "id"),
        Index(None, "namespace", "id"),
        Index(None, "key_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    idempotency_hash: Mapped[str | None] = mapped_column(ascii_text(64))
    fingerprint: Mapped[str | None] = mapped_column(ascii_text(64))
    action: Mapped[Action] = mapped_column(closed_set(Action, "action"))
    filter: Mapped[str] = mapped_column(LongText)
    changes: Mapped[str | None] = mapped_column(Text)
    limit: Mapped[int]
    state: Mapped[State] = mapped_column(closed_set(State, "state"))
    cursor: Mapped[UUID | None] = mapped_column(TaskId)
    matched: Mapped[int]
    done: Mapped[int]
    skipped: Mapped[int]
    failed: Mapped[int]
    key_id: Mapped[str | None] = mapped_column(ascii_text(limits.KEY_ID_LENGTH))
    globs: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
