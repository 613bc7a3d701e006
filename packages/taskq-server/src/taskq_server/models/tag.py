"""The `tags` table, and the `task_tags` table that links tags to tasks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, RowId, TaskId, UtcDateTime, options

UNKNOWN = "1970-01-01 00:00:00"


class Tag(Base):
    """A name that groups tasks. `idle_since` is when a task last lost the tag, or its creation.

    `idle_since` is null once the janitor has seen that a task has the tag, and in 1970 if unknown.
    The id of a deleted tag is never used again, because processes cache ids for a while.
    """

    __tablename__ = "tags"
    __table_args__ = options(
        UniqueConstraint("namespace", "name"),
        Index(None, "idle_since"),
        sqlite_autoincrement=True,  # otherwise SQLite reuses the id of a deleted tag
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    name: Mapped[str] = mapped_column(String(limits.TAG_LENGTH))
    idle_since: Mapped[datetime | None] = mapped_column(UtcDateTime, server_default=UNKNOWN)


class TaskTag(Base):
    """One tag on one task."""

    __tablename__ = "task_tags"
    __table_args__ = options(Index(None, "tag_id", "task_id"))

    task_id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    tag_id: Mapped[int] = mapped_column(RowId, primary_key=True)
