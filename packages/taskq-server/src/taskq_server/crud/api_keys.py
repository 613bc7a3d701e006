"""API keys."""

import json
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import Row, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import api_keys
from taskq_server.domain.keys import ApiKey

_FIELDS = [field.name for field in fields(ApiKey)]
_whole = [api_keys.c[name] for name in _FIELDS]
_HASHES = ("secret_hash", "previous_hash")


async def find(connection: AsyncConnection, ids: Collection[str]) -> dict[str, ApiKey]:
    """Return the keys of some ids, by id; unknown ids are left out."""
    rows = await connection.execute(select(*_whole).where(api_keys.c.id.in_(ids)))
    return {row.id: _to_key(row) for row in rows}


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
    values = dict(row._mapping)
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
