"""Store when keys were last used: once a minute, in the background, many keys at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from math import inf

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database, DatabaseError
from taskq_server.core.database_errors import reason
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.outages import outage
from taskq_server.crud import api_keys
from taskq_server.domain.errors import DatabaseUnavailable

_ONCE_SECONDS = 60.0
_MOST_NOTED = 10_000


class KeyUse:
    """The times at which keys were last used.

    No request waits for them, and a database that does not store them fails none.

    Args:
        database: holds the keys.
        clock: the database's time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._writes: GroupCommit[str, None] = GroupCommit(
            self._write, name="key_use", observer=database.observer
        )
        self._under_way: set[asyncio.Task[None]] = set()
        self._outage = outage("the last use of keys cannot be stored", "api_keys")

    def note(self, key_id: str) -> None:
        """Note that a key is in use, and have that stored unless it was within the last minute."""
        now = self._clock.monotonic()
        if now - self._noted.get(key_id, -inf) < _ONCE_SECONDS:
            return
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        writing = asyncio.create_task(self._writes(key_id))
        self._under_way.add(writing)
        writing.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)

    async def _write(self, ids: Sequence[str]) -> Sequence[None]:
        try:
            now = self._clock()
            # Another process may have stored it, less than a minute ago.
            not_since = now - timedelta(seconds=_ONCE_SECONDS)
            await self._database.write(
                lambda c: api_keys.set_last_used(c, set(ids), now, not_since)
            )
            self._outage.works()
        except DatabaseUnavailable:
            pass  # the database has said so
        except DatabaseError as error:
            self._outage.fails(reason(error))
        return [None] * len(ids)
