"""API keys."""

import json
from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, exists, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import UnionStatement
from taskq_server.crud.tables import api_keys
from taskq_server.domain.keys import ApiKey

_FIELDS = [field.name for field in fields(ApiKey)]
_HASHES = ("secret_hash", "previous_hash")

_STAND_IN = {
    "name": "nobody's",
    "namespace": "default",
    "scopes": '["tasks:read"]',
    "secret_hash": "0" * 64,
}
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_asked = bindparam("asked", type_=api_keys.c.id.type)
_one = select(literal(1).label("one")).subquery()


def _or_stand_in(name: str) -> ColumnElement[Any]:
    column = api_keys.c[name]
    if name not in _STAND_IN:
        return column
    return func.coalesce(column, literal(_STAND_IN[name], column.type)).label(name)


_found = UnionStatement(
    select(_asked.label("asked"), *map(_or_stand_in, _FIELDS)).select_from(
        _one.outerjoin(api_keys, api_keys.c.id == _asked)
    ),
    tuple,
)


async def find(connection: AsyncConnection, ids: Collection[str]) -> list[tuple[bool, ApiKey]]:
    """Return for each of some ids whether it exists, and its key.

    An id that does not exist comes with a stand-in that no secret opens. The statement, the number
    of its rows and their conversion are the same, so that their time does not tell which ids exist.
    """
    found = []
    for asked, *values in await _found(connection, [{"asked": each} for each in ids]):
        row = dict(zip(_FIELDS, values, strict=True))
        stood_in = {"id": asked, "created_at": row["created_at"] or _LONG_AGO}
        found.append((row["id"] is not None, _key(row | stood_in)))
    return found


async def any_exists(connection: AsyncConnection) -> bool:
    """Return whether a key was ever made, in any namespace, revoked and expired ones included."""
    return bool((await connection.execute(select(exists(select(api_keys.c.id))))).scalar_one())


async def add(connection: AsyncConnection, key: ApiKey) -> None:
    """Insert a key.

    Raises:
        Violation: its id is taken.
    """
    await connection.execute(insert(api_keys).values(_to_row(key)))


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
