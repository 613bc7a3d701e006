"""The schema's history, and how to move along it. Shipped in the wheel.

Every process of taskq looks where the schema is; only who moves it pays for Alembic, which takes
12 MB and half a second to import.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from taskq_server.core.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent


def head() -> str:
    """Return the newest revision: files begin with their revision, which is a number."""
    newest = max(path.name for path in (_FOLDER / "versions").glob("[0-9]*_*.py"))
    return newest.partition("_")[0]


async def current(database: Database) -> str | None:
    """Return the revision the database is at; None when it is empty."""

    def read(connection: Connection) -> str | None:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version"))
        return found.scalar_one_or_none()

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


async def upgrade(database: Database, revision: str = "head") -> None:
    """Move the schema forward."""
    from alembic import command

    await _run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> None:
    """Move the schema back, to `base` for an empty database; the data goes with it."""
    from alembic import command

    await _run(database, lambda config: command.downgrade(config, revision))


async def differences(database: Database) -> list[Any]:
    """Return how the database differs from the models; empty when it does not."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from taskq_server.models import Base

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "target_metadata": Base.metadata}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


async def _run(database: Database, move: "Callable[[Config], None]") -> None:
    def work(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        move(config)

    async with database.engine.begin() as connection:
        await connection.run_sync(work)


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config
