"""SQLite, the embedded database of `dev` and of the tests: one file, one writer at a time.

In WAL mode readers and the writer do not block each other. Every write begins IMMEDIATE, behind one
lock of its process, because a deferred transaction that reads and then writes fails at once,
without waiting for the timeout. Statements wait for aiosqlite's thread anyway, so using SQLAlchemy
costs little more.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine import Dialect as AlchemyDialect
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import Table
from sqlalchemy.sql.dml import Insert

from taskq_server.core import private
from taskq_server.core.dialects.base import READ_ONLY, Answer, Columns, Dialect, ErrorKind, kinds
from taskq_server.core.dialects.options import connect_arguments
from taskq_server.core.dialects.server import ServerFacts

_OLDEST = (3, 24)  # ON CONFLICT
_LOCKED = "database is locked"
_KINDS = kinds(
    {
        ErrorKind.DUPLICATE: (
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        ),
    }
)
_KINDS_OF_PRIMARY_CODES = kinds(
    {
        # The file was moved away, or was read-only when it was opened.
        ErrorKind.UNWRITABLE: (sqlite3.SQLITE_READONLY,),
        ErrorKind.AWAY: (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_FULL,
        ),
    }
)
_NO_FOLDER = (
    "is a file in the current folder, which is gone: change the folder, or name a whole path"
)
_BAD_OPTION = (
    "has an option that the driver does not take: check what follows the ? (in the name of a file "
    "? is %3F, and % is %25)"
)


class SQLite(Dialect):
    """SQLite through aiosqlite."""

    name: ClassVar[str] = "sqlite"
    example: ClassVar[str] = "sqlite+aiosqlite:///file"
    one_writer: ClassVar[bool] = True
    errors_quote_values: ClassVar[bool] = False  # they name tables and columns only

    def check_url(self, url: URL) -> None:
        """Require a file, and options that the driver takes."""
        if url.host:
            raise ValueError(f"has a host, but SQLite has files: {self.example}")
        try:
            options = connect_arguments(url)
            options.pop("uri", None)
            sqlite3.connect(":memory:", **options).close()
        except (ValueError, TypeError, SQLAlchemyError, SAWarning, sqlite3.Error):
            raise ValueError(_BAD_OPTION) from None
        except FileNotFoundError:  # SQLAlchemy makes the path of the file a whole one
            raise ValueError(_NO_FOLDER) from None

    def folder(self, url: URL) -> Path | None:
        """Return the folder of the file; a database in memory has no folder."""
        return Path(url.database).parent if url.database else None

    def engine(self, url: URL, *, connect_seconds: float, pool_size: int) -> AsyncEngine:
        """Return an engine with SQLAlchemy's default pool, because opening a file is cheap.

        Args:
            url: the URL of a file.
            connect_seconds: not used, because opening a file takes no time.
            pool_size: not used, because there is one writer.
        """
        engine = create_async_engine(url, hide_parameters=True)
        event.listen(engine.sync_engine, "do_connect", _check_file_opens)
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine

    async def facts(self, _: AsyncConnection) -> ServerFacts:
        """Return the version of the library, because there is no server."""
        version = sqlite3.sqlite_version_info
        return ServerFacts(product="SQLite", version=version, oldest=_OLDEST)

    def upsert(
        self, table: Table, *, update: Sequence[str] = (), add: Sequence[str] = ()
    ) -> Insert:
        """Return INSERT … ON CONFLICT (primary key) DO UPDATE."""
        new = sqlite.insert(table)
        return new.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: new.excluded[name] for name in update}
            | {name: table.c[name] + new.excluded[name] for name in add},
        )

    def insert_once(self, table: Table) -> Insert:
        """Return INSERT … ON CONFLICT DO NOTHING."""
        return sqlite.insert(table).on_conflict_do_nothing()

    def kind_of(self, error: BaseException) -> ErrorKind | None:
        """Return the meaning of an error's extended code, or of its text if that names a lock."""
        if not isinstance(error, sqlite3.Error):
            return None
        if _LOCKED in str(error):
            return ErrorKind.CONFLICT
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
        of_primary = _KINDS_OF_PRIMARY_CODES.get(code & 0xFF, ErrorKind.OTHER)
        return _KINDS.get(code, of_primary)

    async def execute(
        self, connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
    ) -> Answer:
        """Run one statement through SQLAlchemy."""
        result = await connection.exec_driver_sql(sql, None if values is None else tuple(values))
        return Answer(result.all() if result.returns_rows else (), result.rowcount)

    async def insert_many(self, connection: AsyncConnection, sql: str, columns: Columns) -> None:
        """Run the INSERT for each row, in one visit to the driver's thread."""
        await connection.exec_driver_sql(sql, list(zip(*columns, strict=True)))


def _check_file_opens(
    dialect: AlchemyDialect,
    record: ConnectionPoolEntry,
    arguments: list[Any],
    options: dict[str, Any],
) -> None:
    """Raise an error for a file that cannot be opened, before aiosqlite starts a thread for it.

    aiosqlite would leave that thread behind, and the thread may call a closed event loop.
    """
    if arguments[0] != ":memory:" and not options.get("uri"):
        private.make_sqlite(Path(arguments[0]))
    sqlite3.connect(*arguments, **options).close()


def _prepare(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    for pragma in ("synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Set the journal mode, and try again if other processes open the new file at the same moment.

    SQLite refuses all but one of them at once, without waiting for the timeout.
    """
    deadline = time.monotonic() + 1.0
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.005)


def _begin(connection: Any) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
