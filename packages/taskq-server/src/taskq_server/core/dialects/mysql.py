"""MySQL and MariaDB through asyncmy, whose own cursor runs the statements of the hot path.

Through SQLAlchemy, with its contexts, results and greenlets, a statement takes 160 µs, of which the
driver needs 55. So SQLAlchemy manages connections, transactions and the classes of errors, and hot
statements bypass it. They fire no events of SQLAlchemy.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Connection, event, func, literal_column
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL
from sqlalchemy.engine import Dialect as AlchemyDialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import Table
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.dml import Insert

from taskq_server.core.dialects import multirow, mysql_options, mysql_server
from taskq_server.core.dialects.base import Answer, Columns, Dialect, ErrorKind, kinds
from taskq_server.core.dialects.server import ServerFacts

_NEVER_SECONDS = 3600.0
_RECYCLE_SECONDS = 1800
_LOST = (AttributeError, EOFError, OSError, RuntimeError)
"""Errors that asyncmy raises for a lost transport, besides its own errors."""

_KINDS = kinds(
    {
        ErrorKind.CONFLICT: (
            1020,  # the record has changed since it was read
            1205,  # a lock was waited for too long
            1213,  # a deadlock, or another node of a cluster was first
            3101,  # another member of a group was first
        ),
        ErrorKind.REFUSAL: (
            1047,  # a node of a cluster without a majority
            1053,  # a server that shuts down
            1223,  # a read lock on everything
            1290,  # --read-only
            1792,  # a read-only transaction
            1836,  # InnoDB in read-only mode
            3032,  # offline mode
            3100,  # a member of a group without a majority
        ),
        ErrorKind.AWAY: (
            *(1040, 1203, 1226),  # too many connections
            *range(2000, 3000),  # of the client's library
        ),
        ErrorKind.DENIED: (1044, 1045, 1049, 1130),
        ErrorKind.DUPLICATE: (1062,),
    }
)
_FIRST_OF_SERVER = 1000


class MySQL(Dialect):
    """MySQL 8 and MariaDB, at READ COMMITTED."""

    name: ClassVar[str] = "mysql"
    example: ClassVar[str] = "mysql+asyncmy://user:password@host/name"

    def check_url(self, url: URL) -> None:
        """Require a database, options that the driver takes, and files that can be read."""
        if not url.database:
            raise ValueError(f"names no database: {self.example}")
        mysql_options.check(url)

    def engine(self, url: URL, *, connect_seconds: float, pool_size: int) -> AsyncEngine:
        """Return an engine whose connections are renewed every half hour."""
        return _engine(
            url,
            connect_seconds,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=connect_seconds,
            pool_recycle=_RECYCLE_SECONDS,
            pool_reset_on_return=None,  # no ROLLBACK after a COMMIT; see core.leaving
        )

    def probe_engine(self, url: URL) -> AsyncEngine | None:
        """Return an engine without a time limit for connecting, because the caller has one."""
        return _engine(url, _NEVER_SECONDS, poolclass=NullPool)

    def now(self) -> ColumnElement[Any] | None:
        """Return UTC_TIMESTAMP, because NOW() is in the time zone of the session."""
        return func.utc_timestamp(6)

    def after(self, seconds: float) -> ColumnElement[Any] | datetime:
        """Return TIMESTAMPADD, so that the statement needs no other one that asks for the time."""
        microseconds: ColumnElement[Any] = literal_column("MICROSECOND")
        return func.timestampadd(microseconds, round(seconds * 1e6), func.utc_timestamp(6))

    async def facts(self, connection: AsyncConnection) -> ServerFacts:
        """Ask the server for its variables."""
        return await mysql_server.facts(connection)

    def upsert(
        self, table: Table, *, update: Sequence[str] = (), add: Sequence[str] = ()
    ) -> Insert:
        """Return INSERT … ON DUPLICATE KEY UPDATE … = VALUES(…)."""
        new = mysql.insert(table)
        changes: dict[str, ColumnElement[Any]] = {name: new.inserted[name] for name in update}
        changes |= {name: table.c[name] + new.inserted[name] for name in add}
        return new.on_duplicate_key_update(changes)

    def insert_once(self, table: Table) -> Insert:
        """Return INSERT … ON DUPLICATE KEY UPDATE of a column to itself.

        INSERT IGNORE would also ignore a missing reference and a text that is too long.
        """
        first = next(iter(table.primary_key.columns))
        return mysql.insert(table).on_duplicate_key_update({first.name: first})

    def along_index(self, select: Select[Any], table: Table, index: str | None) -> Select[Any]:
        """Force the index.

        Otherwise MySQL may look up the equal columns only, and read all their rows up to the range.
        """
        hint = f"FORCE INDEX ({index or 'PRIMARY'})"
        for name in ("mysql", "mariadb"):
            select = select.with_hint(table, hint, name)
        return select

    def kind_of(self, error: BaseException) -> ErrorKind | None:
        """Return the meaning of an error's number; only errors of this driver begin with one."""
        code = error.args[0] if error.args else None
        if not isinstance(code, int):
            return None
        return _KINDS.get(code, ErrorKind.OTHER if code >= _FIRST_OF_SERVER else ErrorKind.BROKEN)

    async def execute(
        self, connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
    ) -> Answer:
        """Run one statement on the driver's cursor."""
        try:
            cursor = _driver(connection).cursor()
            await cursor.execute(sql, values)
            return Answer(await cursor.fetchall() if cursor.description else (), cursor.rowcount)
        except BaseException as error:
            known = _translated(connection, error)
            if known is not None:
                raise known from error
            # A cancelled caller leaves an answer behind, which the next one would take for its own.
            _of_sqlalchemy(connection).invalidate()
            raise

    async def insert_many(self, connection: AsyncConnection, sql: str, columns: Columns) -> None:
        """Write the rows into as few statements as their size allows."""
        for statement in multirow.statements(sql, columns, _driver(connection).literal):
            await self.execute(connection, statement)


def _engine(url: URL, connect_seconds: float, **pool: Any) -> AsyncEngine:
    plain, tls = mysql_options.split_tls(url)
    options: dict[str, Any] = {
        "connect_timeout": connect_seconds,
        "init_command": "SET time_zone = '+00:00'",
    }
    if url.password:
        options["password"] = url.password.encode()  # the driver's own is Latin-1
    if tls and not any(name.startswith("ssl_") for name in plain.query):
        options["ssl"] = True
    engine = create_async_engine(
        plain.update_query_dict({"charset": "utf8mb4"}),
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args=options,
        **pool,
    )
    event.listen(engine.sync_engine, "do_connect", _connect)
    return engine


def _connect(dialect: AlchemyDialect, _: Any, arguments: Any, options: Any) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except RuntimeError as error:
        # asyncmy raises this for a server that closes the connection as soon as it is open.
        raise ConnectionError(str(error)) from error


def _translated(connection: AsyncConnection, error: BaseException) -> Exception | None:
    """Return SQLAlchemy's error for an error of the driver; None for any other error.

    The error leaves out the statement, because its text contains values, and errors are logged.
    SQLAlchemy discovers dead connections of the pool when it rolls back.
    """
    dialect = connection.dialect
    dbapi = dialect.dbapi
    assert dbapi is not None
    if isinstance(error, _LOST):
        error = dbapi.InternalError(f"network operation failed: {error!r}")
    if not isinstance(error, dbapi.Error):
        return None
    lost = dialect.is_disconnect(error, None, None)
    return DBAPIError.instance(
        None, None, error, dbapi.Error, connection_invalidated=lost, dialect=dialect
    )


def _driver(connection: AsyncConnection) -> Any:
    return _of_sqlalchemy(connection).connection.driver_connection


def _of_sqlalchemy(connection: AsyncConnection) -> Connection:
    assert connection.sync_connection is not None
    return connection.sync_connection
