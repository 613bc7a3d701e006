"""What the long-running commands share: checks before they start, and the signals to stop."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvloop

from taskq_server import migrations
from taskq_server.core.background import complete
from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError
from taskq_server.core.errors import ConfigurationError, DatabaseUnavailable
from taskq_server.core.processes import keep_from_forks

run = uvloop.run
"""Run a coroutine on the event loop that all processes use."""


def run_until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on that loop until it ends, whatever handlers leave on the loop.

    Args:
        main: gets an event that SIGTERM and SIGINT set.
    """
    keep_from_forks()

    async def work() -> None:
        stop = asyncio.Event()
        with _signals_set(stop):
            await main(stop)

    complete(work(), uvloop.new_event_loop)


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    # Not the loop's own handlers: uvloop drops them when an exit escapes from it.
    loop = asyncio.get_running_loop()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def settle() -> None:
    """Leave what start-up made out of all garbage collections: a full one takes 80 ms."""
    gc.collect()
    gc.freeze()


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
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
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
