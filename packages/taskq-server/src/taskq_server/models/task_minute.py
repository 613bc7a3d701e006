"""The `task_minutes` table: what happened in each queue in each minute, for seven days."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, ascii_text, options

_ZERO = "0"


class TaskMinute(Base):
    """One queue in one minute.

    The attempts that ended in it are numbered by outcome; `run_milliseconds` is the sum of the run
    times of those in `domain.minutes.RAN`. The last three columns were measured at one moment of
    the minute, and are null if the queue had no tasks then, or if nobody measured. The row without
    namespace and queue says of a minute that somebody measured, and the sums of all queues.
    """

    __tablename__ = "task_minutes"
    __table_args__ = options(
        Index(None, "namespace", "queue", "minute"),
        Index(None, "minute"),
        sqlite_with_rowid=False,
    )

    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queue: Mapped[str] = mapped_column(ascii_text(limits.QUEUE_LENGTH), primary_key=True)
    succeeded: Mapped[int] = mapped_column(server_default=_ZERO)
    failed: Mapped[int] = mapped_column(server_default=_ZERO)
    timed_out: Mapped[int] = mapped_column(server_default=_ZERO)
    lost: Mapped[int] = mapped_column(server_default=_ZERO)
    released: Mapped[int] = mapped_column(server_default=_ZERO)
    cancelled: Mapped[int] = mapped_column(server_default=_ZERO)
    run_milliseconds: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    depth: Mapped[int | None]
    running: Mapped[int | None]
    oldest_age_seconds: Mapped[float | None]
