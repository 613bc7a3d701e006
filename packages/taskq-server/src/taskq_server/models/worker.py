"""The `workers` table: one row for each start of a worker process.

The row of a worker that has ended stays as long as attempts may name the worker.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, LongText, TaskId, UtcDateTime, ascii_text, options


class Worker(Base):
    """A worker and its lease.

    `queues` is a JSON list of names. `handlers` is a JSON object by name, with the digests of the
    worker's schema and of the schemas that it has replaced. Before the handlers are published, and
    in rows of older workers, `handlers` is a list of names. `namespaces` is a JSON list, too; it is
    null in rows of older workers, which serve all namespaces. `version` is null in theirs, too.

    `declarations` is a JSON object by handler, with the namespace and the digest of the schedule
    that it declares; handlers that declare none are left out. It is null in rows of workers that
    know no such schedules, and before the handlers are published.

    `beats` counts the renewals of the lease. `ended_at` is null until the worker has given its
    lease back, or somebody has seen `beats` stand still for a lease; then it is lost for good.
    `heartbeat_at` and `lease_until` are for readers, and the latter leaves them a lease for the
    differences of clocks.
    """

    __tablename__ = "workers"
    __table_args__ = options(Index(None, "lease_until"), Index(None, "ended_at"))

    id: Mapped[UUID] = mapped_column(TaskId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    queues: Mapped[str] = mapped_column(LongText)
    handlers: Mapped[str] = mapped_column(LongText)
    namespaces: Mapped[str | None] = mapped_column(Text)
    concurrency: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[str | None] = mapped_column(ascii_text(limits.VERSION_LENGTH))
    beats: Mapped[int] = mapped_column(BigInteger, server_default="0")
    declarations: Mapped[str | None] = mapped_column(LongText)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
