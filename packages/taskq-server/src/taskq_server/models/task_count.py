"""The `task_counts` table: the ledger of task counts."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.task import Outcome, Status
from taskq_server.models.base import Base, RowId, ascii_text, closed_set, options


class TaskCount(Base):
    """The number of tasks that one transaction added to a queue and status, negative if removed.

    Rows are inserted, and later replaced by their sums, but never updated, so that no transaction
    waits for another's row lock. A running task counts as queued (`domain/counts.py`). The last
    three columns are set for tasks whose attempts ended, until the minute is over.
    """

    __tablename__ = "task_counts"
    __table_args__ = options()

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    queue: Mapped[str] = mapped_column(ascii_text(limits.QUEUE_LENGTH))
    status: Mapped[Status] = mapped_column(closed_set(Status, "status"))
    amount: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[Outcome | None] = mapped_column(
        closed_set(Outcome, "outcome", is_checked=False)
    )
    minute: Mapped[int | None]
    run_milliseconds: Mapped[int | None] = mapped_column(BigInteger)
