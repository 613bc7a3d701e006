"""What the long-running commands share: checks before they start, and the signals to stop."""

import asyncio
import gc
import logging
import os
import signal
import sys
from typing import NoReturn

import uvloop

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError
from taskq_server.core.errors import ConfigurationError, DatabaseUnavailable

run = uvloop.run
"""Run a coroutine on the event loop that all processes use."""


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def settle() -> None:
    """Leave what start-up made out of all garbage collections: a full one takes 80 ms."""
    gc.collect()
    gc.freeze()


def leave(status: int) -> NoReturn:
    """End the process although a handler's thread may still be running."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def require_redis(settings: Settings) -> None:
    """Check that a Redis is configured; only `dev` brings its own.

    Raises:
        ConfigurationError: it is not.
    """
    if settings.redis_url is None:
        raise ConfigurationError(
            "set TASKQ_REDIS_URL, for example redis://127.0.0.1:6379/0 "
            "(`taskq-server dev` needs none)"
        )


async def require_schema(settings: Settings) -> None:
    """Check that the database is at this version's revision; one that is away may come later.

    Raises:
        ConfigurationError: it is not.
    """
    database = Database(settings.database_url, pool_size=1)
    try:
        found = await migrations.current(database)
    except (DatabaseError, OSError, DatabaseUnavailable):
        return
    finally:
        await database.close()
    if found != migrations.head():
        raise ConfigurationError(
            f"the database is at revision {found or 'nothing'}, this version needs "
            f"{migrations.head()}: run `taskq-server db upgrade`"
        )
