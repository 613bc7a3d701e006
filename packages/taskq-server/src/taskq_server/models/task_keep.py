"""The `task_keeps` table: the tasks that say themselves for how long they are kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.models.base import Base, TaskId, UtcDateTime, options


class TaskKeep(Base):
    """For how long a task is kept after its end.

    The janitor looks at `look_at`, and either deletes the task or says when to look again.
    """

    __tablename__ = "task_keeps"
    __table_args__ = options(Index(None, "look_at"), sqlite_with_rowid=False)

    task_id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    keep_seconds: Mapped[float]
    look_at: Mapped[datetime] = mapped_column(UtcDateTime)
