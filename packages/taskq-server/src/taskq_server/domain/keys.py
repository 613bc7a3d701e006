"""API keys: `tq_<id>_<secret>`.

The id is public and names the row. The secret is 256 random bits; the database has its SHA-256
only, which needs no salt and no slow hash because such a secret cannot be guessed.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.rate_limits import RateLimit

USUAL_OVERLAP_SECONDS = 86_400.0
"""How long a secret still opens after its rotation, unless somebody says another time: a day."""

_ID_BYTES = 9
_SECRET_BYTES = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(rf"tq_([0-9A-Za-z]{{{limits.KEY_ID_LENGTH}}})_([0-9A-Za-z_-]{{43}})")
_NO_DIGEST = bytes(32)


class Token(NamedTuple):
    """The two parts of a key, as a caller shows it."""

    id: str
    secret: str

    @property
    def text(self) -> str:
        """The key as its owner keeps it; print it once, and log it never."""
        return f"tq_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        """Leave the secret out, because a repr may reach a log."""
        return f"Token(tq_{self.id}_…)"


def new_token(
    key_id: str | None = None, *, random: Callable[[int], bytes] = secrets.token_bytes
) -> Token:
    """Return a new key, or a new secret for the key of this id.

    Args:
        key_id: of the key that gets another secret; None for a new key.
        random: returns this many random bytes, fit for secrets.
    """
    return Token(key_id or _new_id(random), _base64(random(_SECRET_BYTES)))


def parse(text: str) -> Token | None:
    """Return the parts of a key; None if the text has not the form of one."""
    found = _TOKEN.fullmatch(text)
    return None if found is None else Token(found[1], found[2])


def digest(secret: str) -> bytes:
    """Return the SHA-256 of a secret, which is all of it that is stored."""
    return sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that is wanted.

    Attributes:
        name: for people.
        scopes: what its callers may do; at least one.
        namespace: the world of its callers; `*` for an operator's key; None for the usual one.
        expires_at: aware UTC; None for a key that does not expire.
        rate_limit: most requests, such as `600/minute`; None for the setting's limit.
    """

    name: str
    scopes: tuple[str, ...]
    namespace: str | None = None
    expires_at: datetime | None = None
    rate_limit: str | None = None


class Rejection(Enum):
    """The reason why a key opens nothing: for the log; every caller gets the same answer."""

    ABSENT = "it shows no key"
    MALFORMED = "what it shows is not one key"
    UNKNOWN = "there is no such key"
    WRONG = "the secret is another one"
    EXPIRED = "it has expired"
    REVOKED = "it was revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is stored.

    Attributes:
        id: public, 12 letters and digits.
        name: for people.
        namespace: the world of its callers; `*` for an operator's key.
        scopes: what its callers may do; at least one.
        secret_hash: SHA-256 of the secret.
        previous_hash: SHA-256 of the secret before the last rotation.
        previous_until: the previous secret opens until then, aware UTC.
        rate_limit: most requests, such as `600/minute`; None for the setting's limit.
        created_at: aware UTC.
        expires_at: aware UTC; None for a key that does not expire.
        last_used_at: aware UTC, at most a minute old while the key is in use.
        revoked_at: aware UTC.
    """

    id: str
    name: str
    namespace: str
    scopes: tuple[str, ...]
    secret_hash: bytes
    previous_hash: bytes | None = None
    previous_until: datetime | None = None
    rate_limit: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def is_operators(self) -> bool:
        """Whether the key belongs to an operator, and so to no namespace."""
        return self.namespace == ALL_NAMESPACES

    @property
    def caller(self) -> Caller:
        """The caller who shows this key."""
        return Caller(
            self.namespace,
            frozenset(self.scopes),
            key_id=self.id,
            is_operator=self.is_operators,
            name=f"key {self.id}",
            rate_limit=None if self.rate_limit is None else RateLimit.parse(self.rate_limit),
        )

    def has_ended(self, now: datetime) -> bool:
        """Return whether the key opens nothing ever again."""
        return _rejection_of_all(self, now) is not None

    def __repr__(self) -> str:
        """Leave the hashes out, because a repr may reach a log."""
        return f"ApiKey({self.id}, {self.name!r}, {self.namespace!r}, {', '.join(self.scopes)})"


def check(key: ApiKey | None, shown: bytes, now: datetime) -> Rejection | None:
    """Return why a secret opens nothing; None if it opens what the key opens.

    The comparisons are the same ones, whether or not there is such a key and whichever its secrets
    are, so that their time says nothing.

    Args:
        key: the key of the id that was shown; None if there is none.
        shown: SHA-256 of the secret that was shown.
        now: aware UTC.
    """
    current, previous = (_NO_DIGEST, _NO_DIGEST) if key is None else _hashes(key, now)
    is_current, is_previous = compare_digest(shown, current), compare_digest(shown, previous)
    if key is None:
        return Rejection.UNKNOWN
    if not (is_current or is_previous):
        return Rejection.WRONG
    return _rejection_of_all(key, now)


def _hashes(key: ApiKey, now: datetime) -> tuple[bytes, bytes]:
    if key.previous_hash is None or key.previous_until is None or now >= key.previous_until:
        return key.secret_hash, _NO_DIGEST
    return key.secret_hash, key.previous_hash


def _rejection_of_all(key: ApiKey, now: datetime) -> Rejection | None:
    if key.revoked_at is not None:
        return Rejection.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return Rejection.EXPIRED
    return None


def _new_id(random: Callable[[int], bytes]) -> str:
    number = int.from_bytes(random(_ID_BYTES), "big")
    digits = []
    for _ in range(limits.KEY_ID_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
