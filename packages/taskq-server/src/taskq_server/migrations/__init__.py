"""The schema's history, and how to move along it. Shipped in the wheel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from taskq_server.core.database import Database
from taskq_server.models import Base

__all__ = ["CommandError", "current", "differences", "downgrade", "head", "upgrade"]


def head() -> str:
    """Return the newest revision."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


async def upgrade(database: Database, revision: str = "head") -> None:
    """Move the schema forward."""
    await _run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> None:
    """Move the schema back, to `base` for an empty database; the data goes with it."""
    await _run(database, lambda config: command.downgrade(config, revision))


async def current(database: Database) -> str | None:
    """Return the revision the database is at; None when it is empty."""

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


async def differences(database: Database) -> list[Any]:
    """Return how the database differs from the models; empty when it does not."""

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "target_metadata": Base.metadata}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


async def _run(database: Database, move: Callable[[Config], None]) -> None:
    def work(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        move(config)

    async with database.engine.begin() as connection:
        await connection.run_sync(work)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
