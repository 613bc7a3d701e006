"""Published handlers."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud.tables import handlers
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults

_COLUMNS = (
    "description", "payload_schema", "max_retries", "timeout_seconds", "queue", "priority", "tags",
    "unique_key",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHandler:
    """One published handler; the schema is JSON text."""

    name: str
    description: str
    payload_schema: str
    max_retries: int
    timeout_seconds: float
    defaults: TaskDefaults = SAYS_NOTHING


async def publish(
    database: Database,
    connection: AsyncConnection,
    namespace: str,
    published: Sequence[PublishedHandler],
    now: datetime,
) -> None:
    """Insert or update handlers."""
    if not published:
        return
    await connection.execute(
        database.dialect.upsert(handlers, update=[*_COLUMNS, "updated_at", "seen_at"]),
        [
            _values(one) | {"namespace": namespace, "updated_at": now, "seen_at": now}
            for one in sorted(published, key=lambda one: one.name)
        ],
    )


async def schema_of(connection: AsyncConnection, namespace: str, name: str) -> str | None:
    """Return the schema of a handler in a namespace; None if the handler is unknown there."""
    found = await connection.execute(
        select(handlers.c.namespace, handlers.c.payload_schema).where(
            handlers.c.namespace.in_((namespace, ALL_NAMESPACES)), handlers.c.name == name
        )
    )
    schemas = {of: schema for of, schema in found}
    return schemas.get(namespace, schemas.get(ALL_NAMESPACES))


async def published(connection: AsyncConnection, namespace: str) -> list[PublishedHandler]:
    """Return the handlers that workers have published for a namespace itself, by name."""
    return (await published_in(connection, [namespace]))[namespace]


async def known_in(
    connection: AsyncConnection, namespaces: Collection[str]
) -> dict[str, list[PublishedHandler]]:
    """Return the handlers that tasks of each of some namespaces may name, by name.

    Those are its own, and those of workers that serve all namespaces; of one name, its own.
    """
    found = await published_in(connection, {*namespaces, ALL_NAMESPACES})
    of_all = {one.name: one for one in found[ALL_NAMESPACES]}
    if not of_all:
        return found
    merged = {each: {**of_all, **{one.name: one for one in found[each]}} for each in namespaces}
    return {each: [those[name] for name in sorted(those)] for each, those in merged.items()}


async def names_in(
    connection: AsyncConnection, namespaces: Collection[str]
) -> dict[str, list[str]]:
    """Return the names of the handlers that tasks of each of some namespaces may name, sorted."""
    rows = await connection.execute(
        select(handlers.c.namespace, handlers.c.name).where(
            handlers.c.namespace.in_((*namespaces, ALL_NAMESPACES))
        )
    )
    found: defaultdict[str, set[str]] = defaultdict(set)
    for namespace, name in rows:
        found[namespace].add(name)
    return {each: sorted(found[each] | found[ALL_NAMESPACES]) for each in namespaces}


async def published_in(
    connection: AsyncConnection, namespaces: Collection[str]
) -> dict[str, list[PublishedHandler]]:
    """Return the handlers that workers have published for each of some namespaces, by name."""
    rows = await connection.execute(
        select(handlers.c.namespace, handlers.c.name, *(handlers.c[each] for each in _COLUMNS))
        .where(handlers.c.namespace.in_(namespaces))
        .order_by(handlers.c.namespace, handlers.c.name)
    )
    found: dict[str, list[PublishedHandler]] = {namespace: [] for namespace in namespaces}
    for row in rows:
        found[row.namespace].append(_published(row))
    return found


def _values(one: PublishedHandler) -> dict[str, object]:
    return {
        "name": one.name,
        "description": one.description,
        "payload_schema": one.payload_schema,
        "max_retries": one.max_retries,
        "timeout_seconds": one.timeout_seconds,
        "queue": one.defaults.queue,
        "priority": one.defaults.priority,
        "tags": json.dumps(one.defaults.tags),
        "unique_key": one.defaults.unique_key,
    }


def _published(row: Row[Any]) -> PublishedHandler:
    fields = {
        "queue": row.queue,
        "priority": row.priority,
        "tags": None if row.tags is None else tuple(json.loads(row.tags)),
        "unique_key": row.unique_key,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return PublishedHandler(
        name=row.name,
        description=row.description,
        payload_schema=row.payload_schema,
        max_retries=row.max_retries,
        timeout_seconds=row.timeout_seconds,
        defaults=TaskDefaults(**known),
    )
