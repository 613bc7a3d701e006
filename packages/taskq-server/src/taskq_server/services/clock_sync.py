"""Keep a process's clock in step with the database's."""

import asyncio

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database
from taskq_server.domain.errors import DatabaseUnavailable

_CLOCK_SECONDS = 5.0
_CLOCK_SOON_SECONDS = 1.0
_QUICK_SECONDS = 0.05


async def sync(clock: Clock, database: Database) -> bool:
    """Set the clock, and return whether the answer came quickly, so that it says much."""
    asked = clock.monotonic()
    try:
        clock.sync(await database.now(), asked)
    except DatabaseUnavailable:
        return False
    return clock.monotonic() - asked <= _QUICK_SECONDS


async def keep_in_sync(clock: Clock, database: Database) -> None:
    """Set the clock again and again, for ever, unless somebody else does, as a worker's beats."""
    due = 0.0  # at once for the second time: the first answer had to wait for a connection
    while True:
        left = due - clock.age
        if left > 0:
            await asyncio.sleep(left)
            continue
        quick = await sync(clock, database)
        due = _CLOCK_SECONDS if quick else _CLOCK_SOON_SECONDS
        await asyncio.sleep(due)
