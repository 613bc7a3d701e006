"""Sessions of browsers: what a sign-in with a key leaves behind.

A session is opened by the text in a cookie, 256 random bits, of which the database has the SHA-256
only, as of a key's secret. It lasts as long as the very secret that it was signed in with opens.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

_BYTES = 32
_TOKEN = re.compile(r"[0-9A-Za-z_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as it is stored.

    Attributes:
        hash: SHA-256 of the text that opens it, in hexadecimal digits.
        key_id: of the key that it was signed in with.
        secret_hash: SHA-256 of that key's secret: a session ends when this opens nothing any more.
        namespace: the one that an operator has chosen; None before, and for all others.
        created_at: aware UTC.
        expires_at: aware UTC.
    """

    hash: str = field(repr=False)
    key_id: str
    secret_hash: bytes = field(repr=False)
    namespace: str | None = None
    created_at: datetime
    expires_at: datetime

    def has_ended(self, now: datetime) -> bool:
        """Return whether the session is over, whatever its key may open."""
        return now >= self.expires_at


def new_token(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return the text that opens a new session.

    Args:
        random: returns this many random bytes, fit for secrets.
    """
    return urlsafe_b64encode(random(_BYTES)).rstrip(b"=").decode()


def is_token(text: str) -> bool:
    """Return whether a text has the form of one that opens a session."""
    return _TOKEN.fullmatch(text) is not None


def digest(token: str) -> str:
    """Return the SHA-256 of the text that opens a session, in hexadecimal digits."""
    return sha256(token.encode()).hexdigest()
