"""The `tags` table, and which task carries which tag."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.models.base import Base, RowId, TaskId, options


class Tag(Base):
    """A name that groups tasks."""

    __tablename__ = "tags"
    __table_args__ = options(UniqueConstraint("namespace", "name"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    namespace: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))


class TaskTag(Base):
    """One tag on one task."""

    __tablename__ = "task_tags"
    __table_args__ = options(Index(None, "tag_id", "task_id"))

    task_id: Mapped[UUID] = mapped_column(
        TaskId, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[int] = mapped_column(
        RowId, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True
    )
