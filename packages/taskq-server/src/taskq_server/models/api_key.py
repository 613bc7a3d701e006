"""The `api_keys` table: the API keys of the deployment, without their secrets."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskq_server.domain import limits
from taskq_server.models.base import Base, UtcDateTime, ascii_text, options


class ApiKey(Base):
    """A key. Rows are never deleted: that a key was made closes the deployment for good.

    `scopes` is a JSON list. The hashes are the SHA-256 of secrets, in hexadecimal digits.
    """

    __tablename__ = "api_keys"
    # Otherwise SQLite takes longer to find that an id exists than that it does not.
    __table_args__ = options(Index(None, "namespace", "created_at", "id"), sqlite_with_rowid=False)

    id: Mapped[str] = mapped_column(ascii_text(limits.KEY_ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(limits.KEY_NAME_LENGTH))
    namespace: Mapped[str] = mapped_column(String(limits.NAMESPACE_LENGTH))
    scopes: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[str] = mapped_column(ascii_text(64))
    previous_hash: Mapped[str | None] = mapped_column(ascii_text(64))
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rate_limit: Mapped[str | None] = mapped_column(ascii_text(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
