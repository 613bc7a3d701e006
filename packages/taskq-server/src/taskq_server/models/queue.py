"""The `queues` table: which queues are paused."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, UtcDateTime, ascii_text, options


class Queue(Base):
    """A queue that somebody has paused; once it goes on and has no tasks, the row may go.

    Claims lock the row shared, and a pause locks it alone: so a pause waits for the claims that are
    under way.
    """

    __tablename__ = "queues"
    __table_args__ = options(Index(None, "paused_at"), sqlite_with_rowid=False)

    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(ascii_text(limits.QUEUE_LENGTH), primary_key=True)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(String(limits.QUEUE_NOTE_LENGTH))
