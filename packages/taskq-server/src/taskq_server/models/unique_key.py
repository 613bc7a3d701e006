"""The tables of unique keys: who holds which, and which tasks have one."""

from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, TaskId, ascii_text, options


class UniqueKey(Base):
    """The task that holds a key, as long as it waits or runs.

    Whoever ends a task deletes the row, in the same transaction.
    """

    __tablename__ = "unique_keys"
    __table_args__ = options(Index(None, "task_id"), sqlite_with_rowid=False)

    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    hash: Mapped[str] = mapped_column(ascii_text(64), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(TaskId)


class TaskUniqueKey(Base):
    """The key that a task has, whether it holds it or not: a retry takes it again."""

    __tablename__ = "task_unique_keys"
    __table_args__ = options(sqlite_with_rowid=False)

    task_id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    unique_key: Mapped[str] = mapped_column(String(limits.UNIQUE_KEY_LENGTH))
