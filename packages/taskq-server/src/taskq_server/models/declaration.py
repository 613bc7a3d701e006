"""The `declarations` table: the schedules that handlers declare, and when each was published."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, TaskId, UtcDateTime, ascii_text, options


class Declaration(Base):
    """What some worker has once declared of a handler.

    `timing` is JSON; it is null for declaring nothing. Only that row has the columns after it, and
    only while it is in force: what the schedule before had, which may come back.
    """

    __tablename__ = "declarations"
    __table_args__ = options(Index(None, "digest"), sqlite_with_rowid=False)

    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    handler: Mapped[str] = mapped_column(ascii_text(limits.HANDLER_LENGTH), primary_key=True)
    digest: Mapped[str] = mapped_column(ascii_text(limits.DECLARATION_LENGTH), primary_key=True)
    first_published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    timing: Mapped[str | None] = mapped_column(Text)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(Text)
    last_task_id: Mapped[UUID | None] = mapped_column(TaskId)
