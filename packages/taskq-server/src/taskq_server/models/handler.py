"""The `handlers` table: the handlers that workers have published."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.domain.task import Priority
from taskq_server.models.base import (
    Base,
    LongText,
    PriorityNumber,
    UtcDateTime,
    ascii_text,
    options,
)


class Handler(Base):
    """A handler's name, the JSON Schema of its payload, and its defaults.

    `queue`, `priority` and `tags`, a JSON list, are null if the worker knows no such defaults.
    `unique_key` is a JSON pointer into the payload; it is null if the handler's tasks may be many.
    `seen_at` is when a live worker had it; workers write it once a day. It is null until one does.
    """

    __tablename__ = "handlers"
    __table_args__ = options()

    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(ascii_text(limits.HANDLER_LENGTH), primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    payload_schema: Mapped[str] = mapped_column(LongText)
    max_retries: Mapped[int]
    timeout_seconds: Mapped[float]
    queue: Mapped[str | None] = mapped_column(ascii_text(limits.QUEUE_LENGTH))
    priority: Mapped[Priority | None] = mapped_column(PriorityNumber)
    tags: Mapped[str | None] = mapped_column(Text)
    unique_key: Mapped[str | None] = mapped_column(String(limits.POINTER_LENGTH))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
