"""Find the caller to whom a key belongs.

Every request asks, so keys are cached, for half a second at most: a revoked key opens nothing after
that, whether or not Redis tells this process. Requests with keys that are not in the cache share
one SELECT. Keys in use are read again together, before their time is over, so that no request waits
for that.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Any, NamedTuple, TypeVar

from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.log_context import apart
from taskq_server.crud import api_keys
from taskq_server.domain import keys
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import DatabaseUnavailable, Unauthenticated
from taskq_server.domain.keys import ApiKey, Rejection
from taskq_server.services import admin_key
from taskq_server.services.refusals import RefusalLog

FRESH_SECONDS = 0.5
"""The age up to which a request believes what was read of keys."""

RECENT_SECONDS = 0.25
"""The age up to which a request that takes long does, because it asks each half second only."""

_OLDEST_SECONDS = 1.0  # of an answer of the database, counted from the question
_READS = 2
_MOST_CACHED = 4_000  # of keys, and as many unknown ids, so that neither fills up sooner

Asked = TypeVar("Asked")


class _Found(NamedTuple):
    """What the database says of an id, and the time at which it was asked.

    An id that no key has comes with a stand-in, so that it causes the same work.
    """

    exists: bool
    key: ApiKey
    caller: Caller
    at: float


class Authentication:
    """The keys of a deployment, as the requests to one process need them.

    Args:
        database: holds the keys.
        clock: the database's time.
        admin: the key of `TASKQ_ADMIN_KEY_FILE`, which may not be stored yet; None without one.
        used: is called with the id of each key that opens, for each request.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        admin: keys.Token | None = None,
        used: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._refusals = RefusalLog(clock.monotonic)
        self._keys: OrderedDict[str, _Found] = OrderedDict()
        self._unknown: OrderedDict[str, _Found] = OrderedDict()  # apart: anybody can fill it
        self._opened: dict[bytes, _Found] = {}  # by the text's digest: a check takes 10 µs
        self._in_use: set[str] = set()
        self._counts_from = -inf
        self._admin = admin
        self._is_closed = admin is not None
        self._used = used
        self._was_open_at = -inf
        self._reads: GroupCommit[Collection[str], dict[str, _Found]] = GroupCommit(
            self._read, name="keys", observer=database.observer
        )
        self._looks: GroupCommit[None, tuple[bool, float]] = GroupCommit(
            self._look, name="any_keys", observer=database.observer
        )
        self._reading_ahead: asyncio.Task[Any] | None = None

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._reads.close()
        await self._looks.close()

    @property
    def is_closed(self) -> bool:
        """Whether any key was ever made, as far as this process has heard."""
        return self._is_closed

    def forget(self) -> None:
        """Read all keys anew when they are asked for, because some have changed."""
        self._counts_from = self._clock.monotonic()
        self._opened.clear()

    async def has_keys(self) -> bool:
        """Return whether any key was ever made: such a deployment is closed for good.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        if self._is_closed:
            return True
        if self._counts(self._was_open_at, FRESH_SECONDS):
            if self._age(self._was_open_at) > RECENT_SECONDS:
                self._ahead(self._looks, None)
            return False
        for _ in range(_READS):
            is_closed, at = await self._looks(None)
            if is_closed or self._age(at) <= _OLDEST_SECONDS:
                return is_closed
        raise _too_slow()

    def known(self, text: str | None, within: float = FRESH_SECONDS) -> Caller | None:
        """Return the caller of a key without asking the database; None if that is necessary.

        Args:
            text: the whole key, or anything that was sent instead; None if nothing was.
            within: the age up to which to believe what was read, in seconds.

        Raises:
            Unauthenticated: the key opens nothing.
        """
        opened = None if text is None else self._opened.get(keys.digest(text))
        # Beyond that, the way below begins to read ahead, unless somebody has.
        until = within if self._reading_ahead else min(within, RECENT_SECONDS)
        if opened is not None and self._counts(opened.at, until):
            return opened.caller
        token = self._token(text)
        found = self._recent(token.id, within)
        if found is None:
            return None
        caller = self._opened_by(token, found)
        self._read_ahead(token.id, found)
        return caller

    async def caller(self, text: str | None) -> Caller:
        """Return the caller of a key as the database has it.

        Args:
            text: see `known`.

        Raises:
            Unauthenticated: the key opens nothing.
            DatabaseUnavailable: nobody knows whether it does.
        """
        token = self._token(text)
        return self._opened_by(token, await self._found_now(token.id))

    def known_by_hash(
        self, key_id: str, secret_hash: bytes, within: float = FRESH_SECONDS
    ) -> Caller | None:
        """Return the caller of a key as `known` does, to whom has kept the hash of its secret.

        Args:
            key_id: of the key.
            secret_hash: SHA-256 of the secret.
            within: see `known`.

        Raises:
            Unauthenticated: the key opens nothing, or this secret does not any more.
        """
        found = self._recent(key_id, within)
        if found is None:
            return None
        caller = self._checked(found, key_id, secret_hash)
        self._read_ahead(key_id, found)
        return caller

    async def caller_by_hash(self, key_id: str, secret_hash: bytes) -> Caller:
        """Return the caller of a key as the database has it; see `known_by_hash`.

        Raises:
            Unauthenticated: the key opens nothing, or this secret does not any more.
            DatabaseUnavailable: nobody knows whether it does.
        """
        return self._checked(await self._found_now(key_id), key_id, secret_hash)

    def _recent(self, key_id: str, within: float) -> _Found | None:
        found = self._keys.get(key_id) or self._unknown.get(key_id)
        return found if found is not None and self._counts(found.at, within) else None

    def _read_ahead(self, key_id: str, found: _Found) -> None:
        if self._age(found.at) > RECENT_SECONDS:
            self._ahead(self._reads, [key_id])

    async def _found_now(self, key_id: str) -> _Found:
        for _ in range(_READS):
            found = (await self._reads([key_id]))[key_id]
            if self._age(found.at) <= _OLDEST_SECONDS:
                return found
        raise _too_slow()

    def _token(self, text: str | None) -> keys.Token:
        token = None if text is None else keys.parse(text)
        if token is None:
            raise self._refused(None, Rejection.ABSENT if text is None else Rejection.MALFORMED)
        return token

    def _checked(self, found: _Found, key_id: str, secret_hash: bytes) -> Caller:
        key = found.key if found.exists else None
        rejection = keys.check(key, secret_hash, self._clock())
        if rejection is not None:
            raise self._refused(key_id, rejection)
        self._in_use.add(key_id)
        self._used(key_id)
        return found.caller

    def _opened_by(self, token: keys.Token, found: _Found) -> Caller:
        caller = self._checked(found, token.id, keys.digest(token.secret))
        if len(self._opened) >= _MOST_CACHED:
            self._opened.clear()
        self._opened[keys.digest(token.text)] = found
        return caller

    def _refused(self, key_id: str | None, why: Rejection) -> Unauthenticated:
        self._refusals.tell(key_id, why)
        return Unauthenticated()

    def _age(self, at: float) -> float:
        return self._clock.monotonic() - at

    def _counts(self, at: float, within: float) -> bool:
        return at > self._counts_from and self._age(at) <= within

    def _ahead(self, read: GroupCommit[Asked, Any], asked: Asked) -> None:
        """Read what is in use before its time is over; one reading at a time is enough."""
        if self._reading_ahead is None:
            context = apart("keys read ahead")
            self._reading_ahead = asyncio.create_task(read(asked), context=context)
            self._reading_ahead.add_done_callback(self._has_read_ahead, context=context)

    def _has_read_ahead(self, reading: "asyncio.Task[Any]") -> None:
        self._reading_ahead = None
        if not reading.cancelled() and not isinstance(reading.exception(), DatabaseUnavailable):
            reading.result()  # raises what nobody expects, for the event loop to log

    async def _read(self, asked: Sequence[Collection[str]]) -> Sequence[dict[str, _Found]]:
        wanted = set().union(*asked)
        if not wanted.isdisjoint(self._keys):  # strangers alone cause no more work than they ask
            wanted |= self._in_use
            self._in_use.clear()

        async def read(connection: Connection) -> dict[str, _Found]:
            at = self._clock.monotonic()
            there = await api_keys.find(connection, wanted)
            return {key.id: self._found(exists, key, at) for exists, key in there}

        found = await self._database.read(read)
        for each, one in found.items():
            self._remember(each, one)
        return [found] * len(asked)

    def _found(self, exists: bool, key: ApiKey, at: float) -> _Found:
        if not exists and self._admin is not None and key.id == self._admin.id:
            exists, key = True, admin_key.as_key(self._admin, self._clock())
        return _Found(exists, key, key.caller, at)

    def _remember(self, key_id: str, found: _Found) -> None:
        self._keys.pop(key_id, None)
        self._unknown.pop(key_id, None)
        cache = self._keys if found.exists else self._unknown
        cache[key_id] = found
        if len(cache) > _MOST_CACHED:
            cache.popitem(last=False)

    async def _look(self, asked: Sequence[None]) -> Sequence[tuple[bool, float]]:
        async def read(connection: Connection) -> tuple[bool, float]:
            at = self._clock.monotonic()
            return await api_keys.any_exists(connection), at

        self._is_closed, at = await self._database.read(read)
        self._was_open_at = at
        return [(self._is_closed, at)] * len(asked)


def _too_slow() -> DatabaseUnavailable:
    return DatabaseUnavailable("the database takes too long to say what a key opens")
