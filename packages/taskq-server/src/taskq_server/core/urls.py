"""Check the URL of Redis; `core.dialects` checks that of the database, with the same words.

No message repeats a part of a URL. Parsers quote text that they cannot read, and drivers quote
unknown hosts. If a password is not percent-encoded, that text may be a part of the password.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
HIGHEST_PORT = 65_535
_BAD_REDIS_OPTION = (
    "has an option that the library does not take, or names a file that cannot be read: check what "
    "follows the ? (ssl_ca_certs and the like need rediss://)"
)
UNREADABLE = (
    "cannot be read: check host and port, and percent-encode what is special in the password "
    "(@ is %40, : is %3A, / is %2F, ? is %3F, # is %23)"
)


def check_redis(url: str) -> None:
    """Check the URL of Redis.

    Raises:
        ValueError: the URL cannot be used.
    """
    require_scheme(url, _REDIS_SCHEMES)
    try:
        options = parse_url(url)
        parts = urlsplit(url)
        readable = parts.scheme == "unix" or "@" not in url.partition(parts.netloc)[2]
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(UNREADABLE)
    if not _makes_connection(options):
        raise ValueError(_BAD_REDIS_OPTION)


def _makes_connection(options: Mapping[str, Any]) -> bool:
    """Return whether the library takes the options of a URL, and can read the files they name."""
    if "decode_responses" in options:
        return False  # arq and taskq need answers as bytes
    try:
        pool = ConnectionPool(**options)
        connection = pool.connection_class(**pool.connection_kwargs)
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except Exception:  # options raise errors of all kinds
        return False
    return True


def shown_redis(url: str) -> str:
    """Return the URL of Redis for people, without account, password and options."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def require_scheme(url: str, schemes: Collection[str]) -> None:
    """Check what a URL begins with.

    Raises:
        ValueError: it is none of these.
    """
    if not url.startswith(tuple(schemes)):
        raise ValueError(f"must start with {' or '.join(schemes)}")
