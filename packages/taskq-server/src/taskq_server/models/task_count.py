"""The `task_counts` table: the ledger of how many tasks there are."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain.task import Status
from taskq_server.models.base import Base, RowId, ascii_text, closed_set, options


class TaskCount(Base):
    """What one transaction added to the tasks of a queue and status, or took away.

    Rows are only ever inserted, and replaced by their sum: no row is updated, so that no two
    transactions wait for one. A running task counts as queued (`domain/counts.py`).
    """

    __tablename__ = "task_counts"
    __table_args__ = options()

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    namespace: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(ascii_text(64))
    status: Mapped[Status] = mapped_column(closed_set(Status, "status"))
    amount: Mapped[int] = mapped_column(BigInteger)
