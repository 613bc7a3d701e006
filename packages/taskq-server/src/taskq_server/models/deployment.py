"""The `deployment` table: the id of the taskq deployment that this database belongs to."""

from sqlalchemy import SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.models.base import Base, ascii_text, options


class Deployment(Base):
    """The only row, whose `number` is 1. The `id` is part of every name in Redis."""

    __tablename__ = "deployment"
    __table_args__ = options()

    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(ascii_text(32))
