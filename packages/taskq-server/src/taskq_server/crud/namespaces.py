"""Namespaces: the worlds that share a deployment."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud.tables import namespaces, tasks
from taskq_server.domain.task import WAITING, Status


async def made(connection: AsyncConnection) -> dict[str, datetime]:
    """Return when each namespace was made, by name."""
    rows = await connection.execute(
        select(namespaces.c.name, namespaces.c.created_at).order_by(namespaces.c.name)
    )
    return {name: created_at for name, created_at in rows}


async def create(database: Database, connection: AsyncConnection, name: str, now: datetime) -> bool:
    """Make a namespace; return False if it exists."""
    exists = select(namespaces.c.name).where(namespaces.c.name == name)
    if (await connection.execute(exists)).first() is not None:
        return False
    new = database.dialect.insert_once(namespaces)
    await connection.execute(new.values(name=name, created_at=now))
    return True


async def waiting(connection: AsyncConnection, among: Collection[str] | None = None) -> set[str]:
    """Return the namespaces with waiting tasks, due or not.

    The cost is two look-ups for each namespace, however many of their tasks wait.

    Args:
        connection: any.
        among: asks about these namespaces only; None asks about all.
    """
    found = select(namespaces.c.name).where(or_(*map(_any, sorted(WAITING))))
    if among is not None:
        found = found.where(namespaces.c.name.in_(sorted(among)))
    return set((await connection.execute(found)).scalars())


def _any(status: Status) -> ColumnElement[bool]:
    # A scalar subquery: a database may answer EXISTS by reading all waiting tasks at once.
    one = select(tasks.c.id).where(tasks.c.namespace == namespaces.c.name, tasks.c.status == status)
    return one.limit(1).correlate(namespaces).scalar_subquery().is_not(None)
