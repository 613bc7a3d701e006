"""The history of minutes, as it is written: what ended, what was measured, what is forgotten."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.crud.tables import task_minutes
from taskq_server.domain.minutes import RAN, EndsOfMinutes
from taskq_server.domain.task import Outcome

_AT_ONCE = 10
"""Minutes whose rows are deleted in one transaction."""

_COUNTED = (*(outcome.value for outcome in Outcome), "run_milliseconds")
_MEASURED = ("depth", "running", "oldest_age_seconds")
_of = task_minutes.c


@dataclass(frozen=True, slots=True)
class Measured:
    """What waits and runs in a queue at one moment. Empty names stand for the whole deployment."""

    namespace: str
    queue: str
    depth: int
    running: int
    oldest_age_seconds: float | None


async def add(connection: AsyncConnection, ended: EndsOfMinutes) -> None:
    """Add what ended to what is there."""
    rows: list[dict[str, str | int]] = []
    # In the order of the keys, so that no two transactions wait for each other.
    for key in sorted(ended):
        ends = ended[key]
        numbers = {outcome.value: ends[outcome].number for outcome in ends}
        run = sum(ends[outcome].run_milliseconds for outcome in ends.keys() & RAN)
        rows.append(
            {**key._asdict(), **dict.fromkeys(_COUNTED, 0), **numbers, "run_milliseconds": run}
        )
    if rows:
        await connection.execute(dialects.of(connection).upsert(task_minutes, add=_COUNTED), rows)


async def claim(connection: AsyncConnection, minute: int) -> None:
    """Take it on to measure a minute, for which there is one row of the whole deployment.

    Raises:
        Violation: somebody else has taken it on.
    """
    await connection.execute(insert(task_minutes).values(namespace="", queue="", minute=minute))


async def store(connection: AsyncConnection, minute: int, measured: Iterable[Measured]) -> None:
    """Store what was measured in a minute."""
    rows = [
        {**asdict(one), "minute": minute}
        for one in sorted(measured, key=lambda one: (one.namespace, one.queue))
    ]
    if rows:
        new = dialects.of(connection).upsert(task_minutes, update=_MEASURED)
        await connection.execute(new, rows)


async def forget(connection: AsyncConnection, *, before: int) -> bool:
    """Delete some of the oldest minutes before `before`; return whether there may be more."""
    oldest = (await connection.execute(select(func.min(_of.minute)))).scalar_one()
    if oldest is None or oldest >= before:
        return False
    end = min(oldest + _AT_ONCE, before)
    await connection.execute(delete(task_minutes).where(_of.minute < end))
    return bool(end < before)
