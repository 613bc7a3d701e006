"""Make, list, rotate and revoke API keys; `services.key_rights` says who may."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from taskq_server.core.database import Connection, Database
from taskq_server.crud import api_keys, bulk, namespaces, schedules, sessions
from taskq_server.domain import limits
from taskq_server.domain.bulk import Operation
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.errors import (
    FieldError,
    InvalidCursor,
    InvalidFields,
    KeyEnded,
    KeyNotFound,
)
from taskq_server.domain.keys import ApiKey, NewKey, Token, digest, new_token
from taskq_server.domain.naming import no_such_namespace
from taskq_server.domain.schedule import Schedule
from taskq_server.services import key_cursor, key_rights


@dataclass(frozen=True, slots=True)
class KeyWithSecret:
    """A key, and the only copy of its new secret."""

    key: ApiKey
    token: Token


@dataclass(frozen=True, slots=True)
class Page:
    """Keys, the newest first; `next_cursor` is None on the last page."""

    items: Sequence[ApiKey]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """What a key has made, and what goes on without it, by the rights that it had.

    Attributes:
        operations: the bulk operations that run, the newest first.
        schedules: those that were made first, as many as are named at most.
    """

    operations: Sequence[Operation]
    schedules: Sequence[Schedule]


class KeyService:
    """Manage keys. The caller has the scope `admin`, unless a method says otherwise.

    Args:
        database: holds the keys.
        clock: aware UTC.
        usual_namespace: of an operator's new keys, unless they say another.
        changed: is called after each change, for caches of keys.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        usual_namespace: str,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._usual_namespace = usual_namespace
        self._changed = changed

    async def create(self, caller: Caller, wanted: NewKey) -> KeyWithSecret:
        """Make a key.

        Raises:
            PermissionDenied: the caller may not make such a key; with pointers.
            InvalidFields: there is no such namespace, or the key has expired already.
        """
        namespace = self._namespace_for(caller, wanted.namespace)
        key_rights.check_gives(caller, wanted.scopes, in_body=True)
        now = self._clock()
        if wanted.expires_at is not None and wanted.expires_at <= now:
            _refuse("/expires_at", "past", "the key would open nothing: expires_at has passed")
        token = new_token()
        key = ApiKey(
            id=token.id,
            name=wanted.name,
            namespace=namespace,
            scopes=wanted.scopes,
            secret_hash=digest(token.secret),
            rate_limit=wanted.rate_limit,
            created_at=now,
            expires_at=wanted.expires_at,
        )
        await self._database.write(lambda c: _add(c, key))
        self._changed()
        return KeyWithSecret(key, token)

    async def list(
        self, caller: Caller, namespace: str | None, *, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Return one page of the keys that the caller manages.

        Args:
            caller: sees the keys of its namespace; an operator those of all.
            namespace: of the keys; None for all that the caller manages.
            limit: most keys in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            PermissionDenied: the caller manages no keys of this namespace.
            InvalidCursor: the cursor was not made for this list.
        """
        of = namespace
        if of is None and not caller.is_in(ALL_NAMESPACES):
            of = caller.namespace
        key_rights.check_manages(caller, of, "/query/namespace")
        after_id = None if cursor is None else key_cursor.read(cursor, of)

        async def read(connection: Connection) -> Page:
            after = None
            if after_id is not None:
                after = (await api_keys.by_id(connection, [after_id])).get(after_id)
                if after is None:
                    raise InvalidCursor("the cursor was made for another list of keys")
            found = await api_keys.page(connection, of, after, limit + 1)
            items = found[:limit]
            more = len(found) > limit
            return Page(items, key_cursor.write(items[-1].id, of) if more else None)

        return await self._database.read(read)

    async def get(self, caller: Caller, key_id: str) -> ApiKey:
        """Return a key.

        Raises:
            KeyNotFound: there is none of this id that the caller manages.
        """
        found = await self._database.read(lambda c: api_keys.by_id(c, [key_id]))
        return key_rights.managed(caller, key_id, found.get(key_id))

    async def own(self, caller: Caller) -> ApiKey | None:
        """Return the key of any caller; None where no key is asked for.

        Raises:
            KeyNotFound: the key is not stored yet.
        """
        key_id = caller.key_id
        if key_id is None:
            return None
        found = (await self._database.read(lambda c: api_keys.by_id(c, [key_id]))).get(key_id)
        if found is None:
            raise KeyNotFound(f"the key {key_id} is not stored yet")
        return found

    async def rotate(self, caller: Caller, key_id: str, overlap_seconds: float) -> KeyWithSecret:
        """Give a key a new secret; its id stays.

        Args:
            caller: learns the secret, and so gives itself the scopes of the key.
            key_id: of the key.
            overlap_seconds: how long the present secret still opens.

        Raises:
            KeyNotFound: there is none of this id that the caller manages.
            PermissionDenied: the key has a scope that the caller may not give away.
            KeyEnded: the key was revoked or has expired.
        """
        seen = await self.get(caller, key_id)
        key_rights.check_gives(caller, seen.scopes, in_body=False)
        now = self._clock()
        token = new_token(key_id)
        until = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None

        async def rotate(connection: Connection) -> ApiKey:
            key = await api_keys.lock(connection, key_id)
            assert key is not None, "keys are never deleted"
            if key.secret_hash == digest(token.secret):
                return key  # an earlier try was committed, and its answer got lost
            if key.has_ended(now):
                raise KeyEnded(f"the key {key_id} was revoked or has expired")
            rotated = replace(
                key,
                secret_hash=digest(token.secret),
                previous_hash=None if until is None else key.secret_hash,
                previous_until=until,
            )
            await api_keys.replace_secret(connection, rotated)
            return rotated

        key = await self._database.write(rotate)
        self._changed()
        return KeyWithSecret(key, token)

    async def revoke(self, caller: Caller, key_id: str) -> ApiKey:
        """Revoke a key for good, and end its sessions; to revoke it again changes nothing.

        Raises:
            KeyNotFound: there is none of this id that the caller manages.
        """
        await self.get(caller, key_id)
        now = self._clock()

        async def revoke(connection: Connection) -> ApiKey:
            await api_keys.revoke(connection, key_id, now)
            await sessions.remove_of_key(connection, key_id)
            return (await api_keys.by_id(connection, [key_id]))[key_id]

        revoked = await self._database.write(revoke)
        self._changed()
        return revoked

    async def made_by(self, caller: Caller, key_id: str) -> Made:
        """Return the bulk operations that a key has made and that run, and its schedules.

        They go on when the key is revoked, because their rights were judged when they were made.

        Raises:
            KeyNotFound: there is no key of this id that the caller manages.
        """
        await self.get(caller, key_id)

        async def read(connection: Connection) -> Made:
            return Made(
                await bulk.made_by(connection, key_id, limit=limits.BULK_RUNNING),
                await schedules.made_by(connection, key_id, limit=limits.KEY_SCHEDULES),
            )

        return await self._database.read(read)

    def _namespace_for(self, caller: Caller, wanted: str | None) -> str:
        if wanted is not None:
            key_rights.check_manages(caller, wanted, "/namespace")
            return wanted
        return self._usual_namespace if caller.is_in(ALL_NAMESPACES) else caller.namespace


async def _add(connection: Connection, key: ApiKey) -> None:
    known = await namespaces.made(connection)
    if not key.is_operators and key.namespace not in known:
        detail = no_such_namespace(key.namespace, known)
        _refuse("/namespace", "unknown-namespace", detail)
    if not await api_keys.by_id(connection, [key.id]):  # an earlier try may have been committed
        await api_keys.add(connection, key)


def _refuse(pointer: str, code: str, detail: str) -> NoReturn:
    raise InvalidFields(detail, [FieldError(pointer, code, detail)])
