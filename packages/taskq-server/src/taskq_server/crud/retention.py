"""The final tasks that are past retention, found along one index however many are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import task_keeps, tasks
from taskq_server.domain.task import Status

_LOOKED_AT = 1_000


class Window(NamedTuple):
    """The time in which tasks ended that may be past retention.

    Attributes:
        before: they ended before that, aware UTC.
        since: of those that ended earlier, all that are left are kept for longer than others; None
            if nobody has looked.
    """

    before: datetime
    since: datetime | None = None


class Expired(NamedTuple):
    """A final task that is past the retention of its status."""

    id: UUID
    status: Status
    finished_at: datetime


class Oldest(NamedTuple):
    """What one look at the beginning of a window found.

    Attributes:
        finished_at: when the first task ended that does not say for how long it is kept; None if
            there was none among those that were looked at.
        seen_to: when the last one ended that was looked at, if there are more.
    """

    finished_at: datetime | None
    seen_to: datetime | None


async def expired(
    connection: AsyncConnection, windows: Mapping[Status, Window], *, limit: int
) -> list[Expired]:
    """Return final tasks of some windows, those that ended first at first.

    Some of them may be kept for longer, because they say so.
    """
    ranges = {
        status: select(tasks.c.id, tasks.c.status, tasks.c.finished_at)
        .where(*_within(status, window))
        .order_by(tasks.c.finished_at)
        for status, window in windows.items()
    }
    first = union_all(*(select(one.limit(1).subquery()) for one in ranges.values()))
    there = [row.status for row in await connection.execute(first)]
    # One after the other: to merge them in one statement costs as much as to delete some of them.
    found: list[Expired] = []
    for status in there:
        found += map(Expired._make, await connection.execute(ranges[status].limit(limit)))
    return sorted(found, key=attrgetter("finished_at"))[:limit]


async def oldest(
    connection: AsyncConnection, windows: Mapping[Status, Window]
) -> dict[Status, Oldest]:
    """Return for each window the task that ended first and does not say how long it is kept."""
    looks = union_all(*(_look(status, window) for status, window in windows.items()))
    return {
        Status(status): Oldest(first, seen_to if amount == _LOOKED_AT else None)
        for status, first, seen_to, amount in await connection.execute(looks)
    }


def _look(status: Status, window: Window) -> Select[*tuple[Any, ...]]:
    seen = (
        select(tasks.c.id, tasks.c.finished_at)
        .where(*_within(status, window))
        .order_by(tasks.c.finished_at)
        .limit(_LOOKED_AT)
        .subquery()
    )
    ended = seen.c.finished_at
    is_like_others = task_keeps.c.task_id.is_(None)
    return select(
        literal(status.value).label("status"),
        func.min(case((is_like_others, ended))),
        func.max(ended),
        func.count(),
    ).outerjoin_from(seen, task_keeps, task_keeps.c.task_id == seen.c.id)


def _within(status: Status, window: Window) -> Sequence[ColumnElement[bool]]:
    ended = [tasks.c.status == status, tasks.c.finished_at < window.before]
    return ended if window.since is None else [*ended, tasks.c.finished_at >= window.since]
