"""API keys."""

import json
from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import UnionStatement
from taskq_server.crud.tables import api_keys
from taskq_server.domain.keys import ApiKey

_FIELDS = [field.name for field in fields(ApiKey)]
_whole = [api_keys.c[name] for name in _FIELDS]
_HASHES = ("secret_hash", "previous_hash")

_STAND_IN = {"namespace": "default", "scopes": '["tasks:read"]', "secret_hash": "0" * 64}
_DECIDING = (*_STAND_IN, "previous_hash", "previous_until", "rate_limit", "expires_at")
_NOT_READ = {"name": "", "created_at": datetime(2020, 1, 1, tzinfo=UTC)}
_asked = bindparam("asked", type_=api_keys.c.id.type)
_one = select(literal(1).label("one")).subquery()


def _or_stand_in(name: str) -> ColumnElement[Any]:
    column = api_keys.c[name]
    if name not in _STAND_IN:
        return column
    return func.coalesce(column, literal(_STAND_IN[name], column.type)).label(name)


_found = UnionStatement(
    select(_asked, api_keys.c.id, api_keys.c.revoked_at, *map(_or_stand_in, _DECIDING)).select_from(
        _one.outerjoin(api_keys, api_keys.c.id == _asked)
    ),
    tuple,
)


async def find(connection: AsyncConnection, ids: Collection[str]) -> list[tuple[bool, ApiKey]]:
    """Return for each of some ids whether it exists, and of its key what decides what it opens.

    An id that does not exist comes with a stand-in that no secret opens. The statement, the number
    of its rows and their conversion are the same, so that their time does not tell which ids exist.
    """
    found = []
    for asked, there, revoked_at, *values in await _found(connection, [{"asked": i} for i in ids]):
        row = dict(zip(_DECIDING, values, strict=True))
        key = _key({**_NOT_READ, **row, "id": asked, "revoked_at": revoked_at})
        found.append((there is not None, key))
    return found


async def by_id(connection: AsyncConnection, ids: Collection[str]) -> dict[str, ApiKey]:
    """Return the keys of some ids, by id; unknown ids are left out."""
    rows = await connection.execute(select(*_whole).where(api_keys.c.id.in_(ids)))
    return {row.id: _to_key(row) for row in rows}


async def lock(connection: AsyncConnection, key_id: str) -> ApiKey | None:
    """Return the key of an id, and keep other transactions from changing it until the commit."""
    statement = select(*_whole).where(api_keys.c.id == key_id).with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _to_key(row)


async def page(
    connection: AsyncConnection, namespace: str | None, after: ApiKey | None, limit: int
) -> list[ApiKey]:
    """Return keys, the newest first.

    Args:
        connection: of a transaction that reads.
        namespace: of the keys; None for all keys.
        after: the last key of the page before; None for the first page.
        limit: most keys.
    """
    order = (api_keys.c.created_at, api_keys.c.id)
    statement = select(*_whole).order_by(*(column.desc() for column in order)).limit(limit)
    if namespace is not None:
        statement = statement.where(api_keys.c.namespace == namespace)
    if after is not None:
        statement = statement.where(tuple_(*order) < (after.created_at, after.id))
    return [_to_key(row) for row in await connection.execute(statement)]


async def any_exists(connection: AsyncConnection) -> bool:
    """Return whether a key was ever made, in any namespace, revoked and expired ones included."""
    return bool((await connection.execute(select(exists(select(api_keys.c.id))))).scalar_one())


async def any_opens(connection: AsyncConnection, now: datetime) -> bool:
    """Return whether a key, in any namespace, is neither revoked nor expired."""
    lasts = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)
    opens = select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None), lasts)
    return bool((await connection.execute(select(exists(opens)))).scalar_one())


async def add(connection: AsyncConnection, key: ApiKey) -> None:
    """Insert a key.

    Raises:
        Violation: its id is taken.
    """
    await connection.execute(insert(api_keys).values(_to_row(key)))


async def replace_secret(connection: AsyncConnection, key: ApiKey) -> None:
    """Store the secrets of a key, and until when the previous one opens."""
    row = _to_row(key)
    changes = {name: row[name] for name in (*_HASHES, "previous_until")}
    await connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(changes))


async def revoke(connection: AsyncConnection, key_id: str, now: datetime) -> None:
    """Revoke a key, unless it is revoked already."""
    statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    await connection.execute(statement.values(revoked_at=now))


async def set_last_used(
    connection: AsyncConnection, ids: Collection[str], now: datetime, not_since: datetime
) -> None:
    """Store that some keys are in use, except where that was stored since `not_since`."""
    last = api_keys.c.last_used_at
    is_due = or_(last.is_(None), last <= not_since)
    statement = update(api_keys).where(api_keys.c.id.in_(ids), is_due)
    await connection.execute(statement.values(last_used_at=now))


def _to_key(row: Row[Any]) -> ApiKey:
    return _key(dict(row._mapping))


def _key(values: dict[str, Any]) -> ApiKey:
    values["scopes"] = tuple(json.loads(values["scopes"]))
    for name in _HASHES:
        digits = values[name]
        values[name] = None if digits is None else bytes.fromhex(digits)
    return ApiKey(**values)


def _to_row(key: ApiKey) -> dict[str, Any]:
    values = {name: getattr(key, name) for name in _FIELDS}
    values["scopes"] = json.dumps(key.scopes)
    for name in _HASHES:
        hashed = values[name]
        values[name] = None if hashed is None else hashed.hex()
    return values
