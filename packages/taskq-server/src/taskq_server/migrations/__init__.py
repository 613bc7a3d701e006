"""Migrations of the database schema. Shipped in the wheel.

Every process reads the schema's revision, but only a process that migrates imports Alembic, which
takes 12 MB and half a second.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from taskq_server.core.database import Database
from taskq_server.migrations.lock import exclusive
from taskq_server.migrations.record import recorded

_WAIT_SECONDS = 300.0


def head() -> str:
    """Return the newest revision, which is the number at the beginning of a file's name."""
    newest = max(path.name for path in (Path(__file__).parent / "versions").glob("[0-9]*_*.py"))
    return newest.partition("_")[0]


async def current(database: Database) -> str | None:
    """Return the newest revision that is complete; None if there is none."""
    async with database.readers.connect() as connection:
        return await connection.run_sync(recorded)


async def upgrade(
    database: Database, revision: str = "head", *, wait_seconds: float = _WAIT_SECONDS
) -> None:
    """Move the schema forward. An interrupted upgrade can be run again.

    Args:
        database: the database to upgrade.
        revision: the number of a revision, `head`, or `+1` for the next one.
        wait_seconds: how long to wait for another process that migrates this database.

    Raises:
        ConfigurationError: there is no such revision.
        Unavailable: the other process has not ended in time.
    """
    from taskq_server.migrations.steps import up

    await _move(database, lambda connection: up(connection, revision), wait_seconds)


async def downgrade(
    database: Database, revision: str, *, wait_seconds: float = _WAIT_SECONDS
) -> None:
    """Move the schema back and drop the data with it. An interrupted downgrade can be run again.

    Args:
        database: the database to downgrade.
        revision: the number of a revision, `base` for an empty database, or `-1` for one less.
        wait_seconds: how long to wait for another process that migrates this database.

    Raises:
        ConfigurationError: there is no such revision below.
        Unavailable: the other process has not ended in time.
    """
    from taskq_server.migrations.steps import down

    await _move(database, lambda connection: down(connection, revision), wait_seconds)


async def differences(database: Database) -> list[Any]:
    """Return the differences between the database and the models."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from taskq_server.models import Base

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "target_metadata": Base.metadata}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))

    async with database.readers.connect() as connection:
        return await connection.run_sync(compare)


async def _move(
    database: Database, work: Callable[[Connection], None], wait_seconds: float
) -> None:
    async with exclusive(database, wait_seconds) as connection:
        await connection.run_sync(work)
