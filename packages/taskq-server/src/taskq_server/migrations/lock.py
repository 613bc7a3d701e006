"""The lock that lets only one process migrate a database at a time.

The lock belongs to one database and to the connection that migrates it, and ends with that
connection. After a process was killed, it ends when the server has finished the last statement.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.domain.errors import ConfigurationError, Unavailable

_PAUSE_SECONDS = 0.1
_SILENT_SECONDS = 1.0
_NO_LOCKS = frozenset({1105, 1235})  # Percona's cluster, and Galera in MariaDB since 2023

# MySQL compares names of locks without case, but databases A and a may both exist, so a hash of the
# name is part of it. Names have 64 characters at most.
_NAME = "CONCAT('taskq:', LEFT(DATABASE(), 20), ':', LEFT(SHA2(DATABASE(), 256), 32))"
_GET_LOCK = text(f"SELECT DATABASE(), GET_LOCK({_NAME}, 0)")
_log = logging.getLogger("taskq.server.migrations")


@asynccontextmanager
async def exclusive(database: Database, wait_seconds: float) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction, while no other process migrates this database.

    Args:
        database: the database to migrate.
        wait_seconds: how long to wait for other processes.

    Raises:
        Unavailable: another process has not ended in time.
    """
    async with database.engine.connect() as connection:
        try:
            await _wait(database, connection, wait_seconds)
            yield connection
            await connection.commit()
        finally:
            await connection.invalidate()


async def _wait(database: Database, connection: AsyncConnection, seconds: float) -> None:
    take = _begin_immediate if database.dialect.name == "sqlite" else _get_lock
    began = time.monotonic()
    said = False
    while not await take(connection):
        waited = time.monotonic() - began
        if waited >= seconds:
            raise Unavailable(
                f"another process has held this database's lock for {seconds:g} s: see whether it "
                "still migrates, and try again"
            )
        if waited >= _SILENT_SECONDS and not said:
            _log.warning("waiting for another process that migrates this database")
            said = True
        await asyncio.sleep(_PAUSE_SECONDS)


async def _get_lock(connection: AsyncConnection) -> bool:
    try:
        database, taken = (await connection.execute(_GET_LOCK)).one()
    except DBAPIError as error:
        if error.orig is None or error.orig.args[0] not in _NO_LOCKS:
            raise
        _log.warning("this database has no locks: see to it that only one process migrates it")
        return True
    if database is None:
        raise ConfigurationError("TASKQ_DATABASE_URL names no database")
    return bool(taken)


async def _begin_immediate(connection: AsyncConnection) -> bool:
    sqlite: Any = (await connection.get_raw_connection()).driver_connection
    await sqlite.execute("PRAGMA busy_timeout=0")
    try:
        await connection.begin()
    except OperationalError as error:
        if "database is locked" not in str(error.orig):
            raise
        return False
    return True
