"""Sessions of browsers."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.crud.tables import sessions
from taskq_server.domain.sessions import Session

_FIELDS = [field.name for field in fields(Session)]
_of = sessions.c
_whole = select(*(_of[name] for name in _FIELDS))


async def find(connection: AsyncConnection, hashes: Collection[str]) -> dict[str, Session]:
    """Return the sessions of some hashes, by hash; unknown ones are left out."""
    rows = await connection.execute(_whole.where(_of.hash.in_(sorted(hashes))))
    return {row.hash: _to_session(row) for row in rows}


async def add(connection: AsyncConnection, session: Session, *, most: int) -> None:
    """Insert a session, unless an earlier try was committed; the key's oldest ones make room.

    Args:
        connection: of a transaction that writes.
        session: the new one.
        most: sessions of a key that there may be.
    """
    row = {name: getattr(session, name) for name in _FIELDS}
    row["secret_hash"] = session.secret_hash.hex()
    await connection.execute(dialects.of(connection).insert_once(sessions).values(row))
    others = select(_of.hash).where(_of.key_id == session.key_id, _of.hash != session.hash)
    newest = others.order_by(_of.created_at.desc(), _of.hash.desc())
    old = (await connection.execute(newest.offset(most - 1).limit(most))).scalars().all()
    if old:
        await connection.execute(delete(sessions).where(_of.hash.in_(sorted(old))))


async def choose(connection: AsyncConnection, hashed: str, new: str, namespace: str) -> None:
    """Store the namespace that an operator has chosen, and another hash.

    Nothing happens to a session that has ended.
    """
    statement = update(sessions).where(_of.hash == hashed)
    await connection.execute(statement.values(hash=new, namespace=namespace))


async def remove(connection: AsyncConnection, hashed: str) -> None:
    """Delete a session, if it is there."""
    await connection.execute(delete(sessions).where(_of.hash == hashed))


async def remove_of_key(connection: AsyncConnection, key_id: str) -> None:
    """Delete all sessions of a key."""
    await connection.execute(delete(sessions).where(_of.key_id == key_id))


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete sessions that were over at `before`, oldest first; return how many."""
    over = select(_of.hash).where(_of.expires_at < before).order_by(_of.expires_at).limit(limit)
    gone = (await connection.execute(over)).scalars().all()
    if gone:
        await connection.execute(delete(sessions).where(_of.hash.in_(sorted(gone))))
    return len(gone)


def _to_session(row: Row[Any]) -> Session:
    return Session(**{**row._mapping, "secret_hash": bytes.fromhex(row.secret_hash)})
