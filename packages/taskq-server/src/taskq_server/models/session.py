"""The `sessions` table: browsers that have signed in with a key."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, UtcDateTime, ascii_text, options


class Session(Base):
    """A session. It is deleted when somebody signs out, when it is over, or with its key.

    The hashes are the SHA-256 of secrets, in hexadecimal digits.
    """

    __tablename__ = "sessions"
    __table_args__ = options(
        Index(None, "key_id", "created_at"), Index(None, "expires_at"), sqlite_with_rowid=False
    )

    hash: Mapped[str] = mapped_column(ascii_text(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ascii_text(limits.KEY_ID_LENGTH))
    secret_hash: Mapped[str] = mapped_column(ascii_text(64))
    namespace: Mapped[str | None] = mapped_column(String(limits.NAMESPACE_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
