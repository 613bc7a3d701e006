"""The `namespaces` table: the worlds that share a deployment."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, UtcDateTime, options


class Namespace(Base):
    """A namespace. The migrations make `default` and those that have tasks already."""

    __tablename__ = "namespaces"
    __table_args__ = options()

    name: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
