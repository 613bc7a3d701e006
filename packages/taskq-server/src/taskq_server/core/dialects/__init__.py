"""Everything that depends on the kind of database; no other module asks for its name.

A new kind of database needs a file with its `Dialect`, an entry in `ALL`, and an entry in the list
of databases for `tests/conformance`.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import Table
from sqlalchemy.sql import Select

from taskq_server.core import private, urls
from taskq_server.core.dialects.base import Dialect
from taskq_server.core.dialects.mysql import MySQL
from taskq_server.core.dialects.sqlite import SQLite

_EMBEDDED = SQLite()

ALL: tuple[Dialect, ...] = (MySQL(), _EMBEDDED)
"""The dialects of all supported databases."""

_NO_PATHS = (":memory:", "file:")
_BY_NAME = {dialect.name: dialect for dialect in ALL}


def of(connection: AsyncConnection) -> Dialect:
    """Return the dialect of a connection."""
    return _BY_NAME[connection.sync_engine.dialect.name]


def named(name: str) -> Dialect:
    """Return the dialect with this name in SQLAlchemy, for revisions of the schema."""
    return _BY_NAME[name]


def of_url(url: URL) -> Dialect:
    """Return the dialect of a URL that `check_url` took."""
    return _BY_NAME[url.get_backend_name()]


def check_url(url: str) -> None:
    """Check the URL of a database.

    Raises:
        ValueError: the URL cannot be used; the message repeats no part of it.
    """
    urls.require_scheme(url, [dialect.scheme for dialect in ALL])
    try:
        parsed = make_url(url)
    except (ValueError, ArgumentError):
        parsed = None
    if parsed is None or "@" in (parsed.host or "") or (parsed.port or 0) > urls.HIGHEST_PORT:
        raise ValueError(urls.UNREADABLE)
    of_url(parsed).check_url(parsed)


def make_folder(url: str) -> None:
    """Create the folder for the file of a database, for this user only."""
    parsed = make_url(url)
    folder = of_url(parsed).folder(parsed)
    if folder is not None:
        private.make_folder(folder)


def is_embedded(url: str) -> bool:
    """Return whether a database is a file, without a server."""
    parsed = make_url(url)
    return of_url(parsed).folder(parsed) is not None


def missing_file(url: str) -> Path | None:
    """Return the file of a database if it has to be one and is missing."""
    name = make_url(url).database or ""
    if not is_embedded(url) or name.startswith(_NO_PATHS) or os.path.exists(name):
        return None
    return Path(name)


def shown(url: str) -> str:
    """Return the name of a database for people: a file, or a URL without password and options."""
    parsed = make_url(url)
    if is_embedded(url):
        file = Path(parsed.database or "")
        here = Path.cwd()
        return str(file.relative_to(here) if file.is_relative_to(here) else file)
    scheme, host = parsed.get_backend_name(), parsed.host
    plain = URL.create(scheme, parsed.username, None, host, parsed.port, parsed.database)
    return plain.render_as_string()


def embedded_url(path: Path) -> str:
    """Return the URL of a database without a server; the file's name may have any characters."""
    scheme = _EMBEDDED.scheme.removesuffix("://")
    return URL.create(scheme, database=str(path)).render_as_string()


def along_index(select: Select[Any], table: Table, index: str | None) -> Select[Any]:
    """Return a SELECT that starts in an index where its range starts, on every database.

    See `Dialect.along_index`. SQLAlchemy compiles only the hints for the connected database.
    """
    for dialect in ALL:
        select = dialect.along_index(select, table, index)
    return select
