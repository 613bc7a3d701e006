"""Check the URLs of the database and of Redis. No message repeats a part of a URL.

Parsers quote text that they cannot read, and drivers quote unknown hosts. If a password is not
percent-encoded, that text may be a part of the password.
"""

import sqlite3
import ssl
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SAWarning, SQLAlchemyError

_DATABASE_SCHEMES = ("mysql+asyncmy://", "sqlite+aiosqlite://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_HIGHEST_PORT = 65_535
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_TLS = ("ssl", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher", "ssl_check_hostname")
_MYSQL_OPTIONS = {*_TLS, "unix_socket", "charset", "connect_timeout", "read_timeout"}
_BAD_MYSQL_OPTION = (
    "has an option that the driver does not take, or names a file that cannot be read. Those that "
    f"there are: ssl=true, {', '.join(_TLS[1:])}, unix_socket"
)
_BAD_SQLITE_OPTION = (
    "has an option that the driver does not take: check what follows the ? (in the name of a file "
    "? is %3F, and % is %25)"
)
_BAD_REDIS_OPTION = (
    "has an option that the library does not take, or names a file that cannot be read: check what "
    "follows the ? (ssl_ca_certs and the like need rediss://)"
)
_UNREADABLE = (
    "cannot be read: check host and port, and percent-encode what is special in the password "
    "(@ is %40, : is %3A, / is %2F, ? is %3F, # is %23)"
)


def check_database(url: str) -> None:
    """Check the URL of a database.

    Raises:
        ValueError: the URL cannot be used.
    """
    _require_scheme(url, _DATABASE_SCHEMES)
    try:
        parsed = make_url(url)
    except (ValueError, ArgumentError):
        parsed = None
    if parsed is None or "@" in (parsed.host or "") or (parsed.port or 0) > _HIGHEST_PORT:
        raise ValueError(_UNREADABLE)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.host:
        raise ValueError("has a host, but SQLite has files: sqlite+aiosqlite:///file")
    if not is_sqlite and not parsed.database:
        raise ValueError("names no database: mysql+asyncmy://user:password@host/name")
    if not _takes(parsed):
        raise ValueError(_BAD_SQLITE_OPTION if is_sqlite else _BAD_MYSQL_OPTION)


def split_tls(url: URL) -> tuple[URL, bool]:
    """Return a URL of MySQL without `ssl`, and that option's value, which the driver wants as bool.

    Raises:
        ValueError: the value is neither true nor false.
    """
    value = str(url.query.get("ssl", "false")).lower()
    if value not in _TRUE | _FALSE:
        raise ValueError("ssl is true or false")
    return url.difference_update_query(["ssl"]), value in _TRUE


def _takes(url: URL) -> bool:
    """Return whether the driver takes the options of a URL, and can read the files they name."""
    if not all(isinstance(value, str) for value in url.query.values()):
        return False  # an option occurs twice
    is_sqlite = url.get_backend_name() == "sqlite"
    if not is_sqlite and not url.query.keys() <= _MYSQL_OPTIONS:
        return False
    try:
        rest = url if is_sqlite else split_tls(url)[0]
        with warnings.catch_warnings(
            action="error", category=SAWarning
        ):  # for options that SQLAlchemy ignores
            _, options = rest.get_dialect()().create_connect_args(rest)
        if is_sqlite:
            options.pop("uri", None)
            sqlite3.connect(":memory:", **options).close()
        elif "ssl" in options:
            _read_tls(options["ssl"])
    except (ValueError, TypeError, OSError, SQLAlchemyError, SAWarning, sqlite3.Error):
        return False
    return all(options.get(name, 1) > 0 for name in ("connect_timeout", "read_timeout"))


def _read_tls(options: dict[str, Any]) -> None:
    context = ssl.create_default_context(cafile=options.get("ca"), capath=options.get("capath"))
    if "cert" in options or "key" in options:
        context.load_cert_chain(options.get("cert", ""), options.get("key"))
    if "cipher" in options:
        context.set_ciphers(options["cipher"])


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file; the name may contain any characters."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string()


def check_redis(url: str) -> None:
    """Check the URL of Redis.

    Raises:
        ValueError: the URL cannot be used.
    """
    _require_scheme(url, _REDIS_SCHEMES)
    try:
        options = parse_url(url)
        parts = urlsplit(url)
        readable = parts.scheme == "unix" or "@" not in url.partition(parts.netloc)[2]
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(_UNREADABLE)
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


def _require_scheme(url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes):
        raise ValueError(f"must start with {' or '.join(schemes)}")
