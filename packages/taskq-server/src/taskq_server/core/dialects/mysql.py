"""Statements of the hot path, run on the driver itself.

SQLAlchemy's way to MySQL's driver, with its contexts, results and greenlets, takes twice the time
of the driver. Connections, transactions and errors stay SQLAlchemy's. SQLite, which waits for a
thread anyway, is asked through SQLAlchemy.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import multirow

_LOST = (AttributeError, EOFError, OSError, RuntimeError)
"""What asyncmy raises when its transport has gone, besides its own errors."""


class Answer(NamedTuple):
    """What a statement returned: its rows, and how many rows it met."""

    rows: Sequence[Sequence[Any]]
    met: int


async def execute(
    connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
) -> Answer:
    """Run one statement.

    Args:
        connection: in a transaction.
        sql: as it is compiled for this database; without values, a % is a %.
        values: the driver's, in order.

    Raises:
        DBAPIError: the database refuses it, or is gone; `connection_invalidated` says which.
    """
    if connection.dialect.name == "sqlite":
        result = await connection.exec_driver_sql(sql, None if values is None else tuple(values))
        return Answer(result.all() if result.returns_rows else (), result.rowcount)
    try:
        cursor = _driver(connection).cursor()
        await cursor.execute(sql, values)
        return Answer(await cursor.fetchall() if cursor.description else (), cursor.rowcount)
    except BaseException as error:
        known = _translated(connection, error)
        if known is not None:
            raise known from error
        # Whoever is cancelled leaves an answer behind that the next one would take for its own.
        _of_sqlalchemy(connection).invalidate()
        raise


async def insert(connection: AsyncConnection, sql: str, columns: multirow.Columns) -> None:
    """Run an INSERT for many rows.

    Args:
        connection: in a transaction.
        sql: an INSERT of one row, as it is compiled for this database.
        columns: the driver's values of each column, one for each row.

    Raises:
        DBAPIError: the database refuses it, or is gone.
    """
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(sql, list(zip(*columns, strict=True)))
        return
    for statement in multirow.statements(sql, columns, _driver(connection).literal):
        await execute(connection, statement)


def _translated(connection: AsyncConnection, error: BaseException) -> Exception | None:
    """Return what SQLAlchemy would raise, if this is an error of the driver.

    It does not tell the statement, in which values are written out: errors come into logs.
    That all connections of the pool are dead, SQLAlchemy finds out when it rolls back.
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
