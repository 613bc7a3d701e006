"""Find the caller to whom a key belongs.

Every request asks, so keys are cached, for half a second at most: a revoked key opens nothing after
that, whether or not Redis tells this process. Requests that come with keys not in the cache share
one SELECT. A key in use is read again before its time is over, so that no request waits for that.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import api_keys
from taskq_server.domain import keys
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import DatabaseUnavailable, Unauthenticated
from taskq_server.domain.keys import ApiKey

FRESH_SECONDS = 0.5
"""The age up to which counts what was read of keys."""

_EARLY_SECONDS = FRESH_SECONDS / 2
_MOST_CACHED = 10_000

_log = logging.getLogger("taskq.server.keys")


class _Found(NamedTuple):
    """What the database says of an id; `at` is when it was asked."""

    key: ApiKey | None
    caller: Caller | None
    at: float


class Authentication:
    """The keys of a deployment, as the requests to one process need them.

    Args:
        database: holds the keys.
        clock: the database's time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache: OrderedDict[str, _Found] = OrderedDict()
        self._counts_from = -inf
        self._is_closed = False
        self._open_at = -inf
        self._finds: GroupCommit[str, _Found] = GroupCommit(self._find)
        self._looks: GroupCommit[None, bool] = GroupCommit(self._look)
        self._reading_again: dict[str, asyncio.Task[_Found]] = {}

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._finds.close()
        await self._looks.close()

    def forget(self) -> None:
        """Read all keys anew when they are asked for, because some have changed."""
        self._counts_from = self._clock.monotonic()

    async def has_keys(self) -> bool:
        """Return whether any key was ever made: such a deployment is closed for good.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        return self._is_closed or (not self._is_fresh(self._open_at) and await self._looks(None))

    def known(self, text: str) -> Caller | None:
        """Return the caller of a key without asking the database; None if that is necessary.

        Raises:
            Unauthenticated: the key opens nothing.
        """
        token = keys.parse(text)
        if token is None:
            raise Unauthenticated
        found = self._cache.get(token.id)
        if found is None or not self._is_fresh(found.at):
            return None
        if self._clock.monotonic() - found.at > _EARLY_SECONDS:
            self._read_again(token.id)
        return self._checked(found, token)

    async def caller(self, text: str) -> Caller:
        """Return the caller of a key.

        Args:
            text: the whole key, or anything that a caller has sent instead.

        Raises:
            Unauthenticated: the key opens nothing.
            DatabaseUnavailable: nobody knows whether it does.
        """
        known = self.known(text)
        if known is not None:
            return known
        token = keys.parse(text)
        if token is None:
            raise Unauthenticated
        return self._checked(await self._finds(token.id), token)

    def _checked(self, found: _Found, token: keys.Token) -> Caller:
        rejection = keys.check(found.key, token.secret, self._clock())
        if rejection is not None or found.caller is None:
            _log.info("key %s opens nothing: %s", token.id, rejection and rejection.value)
            raise Unauthenticated
        return found.caller

    def _is_fresh(self, at: float) -> bool:
        return at > self._counts_from and self._clock.monotonic() - at <= FRESH_SECONDS

    def _read_again(self, key_id: str) -> None:
        if key_id not in self._reading_again:
            reading = asyncio.ensure_future(self._finds(key_id))
            self._reading_again[key_id] = reading
            reading.add_done_callback(lambda _: self._has_read_again(key_id, reading))

    def _has_read_again(self, key_id: str, reading: "asyncio.Task[_Found]") -> None:
        del self._reading_again[key_id]
        if not reading.cancelled() and not isinstance(reading.exception(), DatabaseUnavailable):
            reading.result()  # raises what nobody expects, for the event loop to log

    async def _find(self, ids: Sequence[str]) -> Sequence[_Found]:
        at = self._clock.monotonic()
        there = await self._database.read(lambda c: api_keys.find(c, set(ids)))
        found = {each: _found(there.get(each), at) for each in ids}
        for each, one in found.items():
            self._cache[each] = one
            self._cache.move_to_end(each)
        while len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        return [found[each] for each in ids]

    async def _look(self, asked: Sequence[None]) -> Sequence[bool]:
        at = self._clock.monotonic()
        self._is_closed = await self._database.read(api_keys.any_exists)
        self._open_at = at
        return [self._is_closed] * len(asked)


def _found(key: ApiKey | None, at: float) -> _Found:
    return _Found(key, None if key is None else key.caller, at)
