"""What the URLs of the database and of Redis may be. No sentence repeats a part of one.

Parsers quote what they cannot read, and drivers the host that they cannot find: where a password is
not percent-encoded, that is a part of it.
"""

from urllib.parse import urlsplit

from redis.asyncio.connection import parse_url
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_DATABASE_SCHEMES = ("mysql+asyncmy://", "sqlite+aiosqlite://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_HIGHEST_PORT = 65_535
_UNREADABLE = (
    "cannot be read: check host and port, and percent-encode what is special in the password "
    "(@ is %40, : is %3A, / is %2F, ? is %3F, # is %23)"
)


def check_database(url: str) -> None:
    """Check a URL of SQLAlchemy.

    Raises:
        ValueError: it cannot be used.
    """
    _require_scheme(url, _DATABASE_SCHEMES)
    try:
        parsed = make_url(url)
    except (ValueError, ArgumentError):
        parsed = None
    if parsed is None or "@" in (parsed.host or "") or (parsed.port or 0) > _HIGHEST_PORT:
        raise ValueError(_UNREADABLE)


def check_redis(url: str) -> None:
    """Check a URL of redis-py.

    Raises:
        ValueError: it cannot be used.
    """
    _require_scheme(url, _REDIS_SCHEMES)
    try:
        parse_url(url)
        parts = urlsplit(url)
        readable = parts.scheme == "unix" or "@" not in url.partition(parts.netloc)[2]
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(_UNREADABLE)


def _require_scheme(url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes):
        raise ValueError(f"must start with {' or '.join(schemes)}")
