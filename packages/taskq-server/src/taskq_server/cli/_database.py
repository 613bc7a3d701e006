"""The database, for commands that do one thing with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from taskq_server import migrations
from taskq_server.cli._startup import database_says, run, say_unknown
from taskq_server.core import logs
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.dialects import make_folder
from taskq_server.domain.errors import ConfigurationError


def on_database(work: Callable[[Database], Awaitable[None]]) -> None:
    """Run a command on the database of the settings.

    Raises:
        ConfigurationError: a setting cannot be used, or the database refuses what is asked.
        DatabaseUnavailable: the database is away.
    """
    logs.configure("WARNING")
    say_unknown()
    run(_with_database(work))


async def _with_database(work: Callable[[Database], Awaitable[None]]) -> None:
    async with _database(Settings.load().database_url.get_secret_value()) as database:
        with database_says():
            await work(database)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    with database_says():
        make_folder(url)
    database = Database(url, pool_size=1, connect_seconds=5)
    try:
        yield database
    finally:
        await database.close()


async def require_head(database: Database) -> str:
    """Return the revision of the database.

    Raises:
        ConfigurationError: it is not this version's.
    """
    found = await migrations.current(database)
    if found != migrations.head():
        raise ConfigurationError(
            f"the database is at revision {found or 'base'}, not {migrations.head()}: "
            "run `taskq-server db upgrade`"
        )
    return found
