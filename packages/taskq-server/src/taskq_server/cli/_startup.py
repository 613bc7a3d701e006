"""The start-up checks and the event loop that the long-running commands share."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import uvloop

from taskq_server import migrations
from taskq_server.core import environment, logs
from taskq_server.core.background import complete
from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError
from taskq_server.core.database_errors import is_away
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import ConfigurationError, DatabaseUnavailable

_log = logging.getLogger("taskq.server")

_GC_THRESHOLDS = (10_000, 10, 10)

run = uvloop.run
"""Run a coroutine on uvloop, the event loop of all processes."""


def prepare(stop: Stop, options: Mapping[str, object], *, is_first: bool = True) -> Settings:
    """Begin a long-running command: handle signals, read the settings, and configure the log.

    Args:
        stop: the event that signals set.
        options: settings from the command line; None stands for an option not given.
        is_first: whether no process before this one has named the variables that mean nothing.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    stop.listen()
    settings = Settings.load(**options)
    logs.configure(settings.log_level, settings.log_format)
    if is_first:
        say_unknown()
    return settings


def say_unknown() -> None:
    """Log the environment variables that look like settings but are none."""
    for sentence in environment.unknown(Settings.model_fields):
        _log.warning("%s", sentence)


@contextlib.contextmanager
def database_says() -> Iterator[None]:
    """Turn an error of the database into one sentence.

    Raises:
        ConfigurationError: the error will last until somebody changes something.
        DatabaseUnavailable: the database is away, and may come back.
    """
    try:
        yield
    except (DatabaseError, OSError) as error:
        kind = DatabaseUnavailable if is_away(error) else ConfigurationError
        sentence = str(error).partition("\n")[0]
        raise kind(f"the database says: {sentence}") from error


def run_until_stopped(stop: Stop, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on uvloop until it ends, even if handlers leave tasks on the loop.

    Args:
        stop: its events are set on that loop.
        main: makes the coroutine.
    """

    async def work() -> None:
        stop.bind(asyncio.get_running_loop())
        await main()

    complete(work(), uvloop.new_event_loop)


def tune_gc() -> None:
    """Leave the objects of start-up out of garbage collections, and collect less often.

    A collection that looks at all objects takes 80 ms, and Python's thresholds are for programs
    that make fewer objects than a hundred requests or tasks at a time do. Decision 56 tells more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def require_redis(settings: Settings) -> None:
    """Check that a Redis is configured, because only `dev` brings its own.

    Raises:
        ConfigurationError: no Redis is configured.
    """
    if settings.redis_url is None:
        raise ConfigurationError(
            "set TASKQ_REDIS_URL, for example redis://127.0.0.1:6379/0 "
            "(`taskq-server dev` needs none)"
        )


async def require_schema(settings: Settings) -> str | None:
    """Check that the database accepts the connection and is at this version's revision.

    Returns:
        The revision; None for a database that is away, which may come back.

    Raises:
        ConfigurationError: the database refuses the connection, or is at another revision.
    """
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        with database_says():
            found = await migrations.current(database)
    except DatabaseUnavailable:
        return None
    finally:
        await database.close()
    if found != migrations.head():
        raise ConfigurationError(
            f"the database is at revision {found or 'nothing'}, this version needs "
            f"{migrations.head()}: run `taskq-server db upgrade`"
        )
    return found
