"""The `sweeps` table: which worker takes care of which sweep of the janitor."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, TaskId, UtcDateTime, ascii_text, options


class Sweep(Base):
    """One kind of sweep. `holder` is null while nobody takes care of it.

    Whoever takes or renews it adds one to `beats`; `beat_at` is for readers.
    """

    __tablename__ = "sweeps"
    __table_args__ = options()

    kind: Mapped[str] = mapped_column(ascii_text(limits.SWEEP_LENGTH), primary_key=True)
    holder: Mapped[UUID | None] = mapped_column(TaskId)
    beats: Mapped[int] = mapped_column(BigInteger)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
