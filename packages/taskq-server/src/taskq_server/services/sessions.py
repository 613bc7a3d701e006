"""Sign in with a key, sign out, and find the caller of a session.

A session is judged as its key is: what was read of it counts for half a second at most, so that a
sign-out acts by then whether or not Redis tells this process. Requests whose sessions are not in
the cache share one SELECT. The key itself is judged by `services.authentication`.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import NamedTuple

from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import sessions
from taskq_server.domain import keys, limits
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.errors import (
    DatabaseUnavailable,
    FieldError,
    PermissionDenied,
    Unauthenticated,
)
from taskq_server.domain.sessions import Session, digest, new_token
from taskq_server.services.authentication import FRESH_SECONDS, Authentication
from taskq_server.services.namespaces import Namespaces

_OLDEST_SECONDS = 1.0  # of an answer of the database, counted from the question
_READS = 2
_MOST_CACHED = 2_000  # of sessions, and as many unknown ones, so that neither fills up sooner


class Opened(NamedTuple):
    """A session that opens, and its caller, who has a namespace in any case."""

    session: Session
    caller: Caller


class _Seen(NamedTuple):
    session: Session | None
    at: float


class Sessions:
    """The sessions of a deployment, as the requests to one process need them.

    Args:
        database: holds the sessions.
        clock: the database's time.
        authentication: judges their keys.
        namespaces: knows which there are.
        lasts: how long a new session does.
        usual_namespace: of operators who have not chosen one.
        changed: is called after each change, for caches of sessions; this one is told already.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authentication: Authentication,
        namespaces: Namespaces,
        *,
        lasts: timedelta,
        usual_namespace: str,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication
        self._namespaces = namespaces
        self._lasts = lasts
        self._usual_namespace = usual_namespace
        self._changed = changed
        self._known: OrderedDict[str, _Seen] = OrderedDict()
        self._unknown: OrderedDict[str, _Seen] = OrderedDict()  # apart: anybody can fill it
        self._counts_from = -inf
        self._reads: GroupCommit[str, _Seen] = GroupCommit(
            self._read, name="sessions", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the read under way."""
        await self._reads.close()

    def forget(self) -> None:
        """Read all sessions anew when they are asked for, because some have changed."""
        self._counts_from = self._clock.monotonic()

    async def sign_in(self, key: str) -> str:
        """Begin a session, and return the text that opens it: the only copy.

        The key's oldest session ends when there are too many.

        Args:
            key: a whole key, or anything that was sent instead.

        Raises:
            Unauthenticated: the key opens nothing.
            DatabaseUnavailable: nobody knows whether it does.
        """
        known = self._authentication.known(key)
        if known is None:
            await self._authentication.caller(key)
        shown = keys.parse(key)
        assert shown is not None, "it opens"
        token, now = new_token(), self._clock()
        session = Session(
            hash=digest(token),
            key_id=shown.id,
            secret_hash=keys.digest(shown.secret),
            created_at=now,
            expires_at=now + self._lasts,
        )
        await self._database.write(lambda c: sessions.add(c, session, most=limits.KEY_SESSIONS))
        return token

    async def sign_out(self, token: str) -> None:
        """End a session; to end one that is over changes nothing."""
        await self._database.write(lambda c: sessions.remove(c, digest(token)))
        self._tell()

    async def choose_namespace(self, token: str, name: str) -> str:
        """Let an operator see another namespace, and return the text that opens the session now.

        The text that has opened it does not any more, so that no process takes the session of
        before for the one of now.

        Raises:
            Unauthenticated: the session is over.
            PermissionDenied: it is not an operator's.
            InvalidFields: there is no such namespace.
            DatabaseUnavailable: nobody knows.
        """
        found = await self.opened(token)
        if not found.caller.is_operator:
            detail = "this key belongs to one namespace: an operator's key may choose another"
            raise PermissionDenied(detail, [FieldError("/namespace", "operators-only", detail)])
        await self._namespaces.require(name, "/namespace")
        new = new_token()
        await self._database.write(
            lambda c: sessions.choose(c, found.session.hash, digest(new), name)
        )
        self._tell()
        return new

    async def opened(self, token: str, within: float = FRESH_SECONDS) -> Opened:
        """Return what a session opens.

        Args:
            token: the text that opens it, or anything that was sent instead.
            within: the age up to which to believe what was read, in seconds.

        Raises:
            Unauthenticated: it opens nothing: there is no such session, it is over, or its key
                opens nothing any more.
            DatabaseUnavailable: nobody knows.
        """
        session = await self._session(digest(token), within)
        if session is None or session.has_ended(self._clock()):
            raise Unauthenticated
        key = (session.key_id, session.secret_hash)
        caller = self._authentication.known_by_hash(*key, within)
        caller = caller or await self._authentication.caller_by_hash(*key)
        if caller.is_in(ALL_NAMESPACES):
            caller = replace(caller, namespace=session.namespace or self._usual_namespace)
        return Opened(session, caller)

    async def _session(self, hashed: str, within: float) -> Session | None:
        seen = self._known.get(hashed) or self._unknown.get(hashed)
        if seen is not None and seen.at > self._counts_from and self._age(seen) <= within:
            return seen.session
        for _ in range(_READS):
            seen = await self._reads(hashed)
            if self._age(seen) <= _OLDEST_SECONDS:
                return seen.session
        raise DatabaseUnavailable("the database takes too long to say what a session opens")

    def _age(self, seen: _Seen) -> float:
        return self._clock.monotonic() - seen.at

    def _tell(self) -> None:
        self.forget()
        self._changed()

    async def _read(self, hashes: Sequence[str]) -> Sequence[_Seen]:
        async def read(connection: Connection) -> tuple[dict[str, Session], float]:
            at = self._clock.monotonic()
            return await sessions.find(connection, set(hashes)), at

        found, at = await self._database.read(read)
        seen = {each: _Seen(found.get(each), at) for each in hashes}
        for hashed, one in seen.items():
            self._remember(hashed, one)
        return [seen[each] for each in hashes]

    def _remember(self, hashed: str, seen: _Seen) -> None:
        self._known.pop(hashed, None)
        self._unknown.pop(hashed, None)
        cache = self._unknown if seen.session is None else self._known
        cache[hashed] = seen
        if len(cache) > _MOST_CACHED:
            cache.popitem(last=False)
