"""Pages of tasks, at a cost that grows neither with the table nor with the depth.

One index drives the scan in the order of ids; the other filters are applied to its rows. A scan
stops after `BUDGET` rows, so a rare combination gives a short page, and the id to continue from.
Most filters find enough rows early, so a scan reads some rows first, and the rest only if needed.
A scan of several values of a column reads as many rows of each, so that of many values it stops
earlier. The same filters count tasks, and judge tasks that are locked.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud import filters
from taskq_server.crud.filters import Filter
from taskq_server.crud.ranges import first
from taskq_server.crud.tables import (
    schedule_fires,
    task_tags,
    task_without_payload,
    tasks,
    to_task,
)
from taskq_server.domain.task import Status, Task

BUDGET = 2_000
_MOST_READ = 6 * BUDGET
_FIRST_LOOK = 2  # times the limit of the page


@dataclass(frozen=True, slots=True)
class Scanned:
    """One page, and the id after which the next page begins; None after the last page."""

    tasks: list[Task]
    next_after: UUID | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many tasks of a part of the list there are, and the id after which the next part begins.

    Attributes:
        by_status: tasks that the filters find.
        scanned: rows that were read.
        next_after: None after the last part.
    """

    by_status: Counter[Status]
    scanned: int
    next_after: UUID | None


@dataclass(frozen=True, slots=True)
class _Plan:
    scan: Subquery
    residuals: Sequence[ColumnElement[bool]]
    budget: int


async def page(connection: AsyncConnection, wanted: Filter) -> Scanned:
    """Return one page."""
    if not all(filters.indexed_values(wanted).values()):
        return Scanned([], None)
    at_first = min(_FIRST_LOOK * wanted.limit, BUDGET)
    start = await _look(connection, wanted, at_first)
    missing = wanted.limit - len(start.tasks)
    if start.next_after is None or not missing or at_first == BUDGET:
        return start
    rest = replace(wanted, after=start.next_after, limit=missing)
    more = await _look(connection, rest, BUDGET - at_first)
    return Scanned(start.tasks + more.tasks, more.next_after)


async def count(connection: AsyncConnection, wanted: Filter, budget: int) -> Counted:
    """Count the tasks of one part of the list.

    Args:
        connection: any.
        wanted: the filters, in ascending order; their limit says nothing.
        budget: rows to read, at most.
    """
    if not all(filters.indexed_values(wanted).values()):
        return Counted(Counter(), 0, None)
    plan = _plan(replace(wanted, limit=budget - 1), budget)
    fits = case((and_(true(), *plan.residuals), 1), else_=0)
    statement = (
        select(tasks.c.status, func.sum(fits), func.count(), func.max(plan.scan.c.id))
        .select_from(plan.scan.outerjoin(tasks, plan.scan.c.id == tasks.c.id))
        .group_by(tasks.c.status)
    )
    found = (await connection.execute(statement)).all()
    scanned = sum(rows for _, _, rows, _ in found)
    by_status = Counter({status: int(fitting) for status, fitting, _, _ in found if status})
    last = max((last for _, _, _, last in found), default=None)
    return Counted(+by_status, scanned, last if scanned >= plan.budget else None)


async def matching(connection: AsyncConnection, wanted: Filter, ids: Collection[UUID]) -> set[UUID]:
    """Return those of some tasks that the filters find, wherever they stand in the list."""
    if not ids:
        return set()
    judged = tasks.c.id.in_(sorted(ids)), *filters.conditions(wanted)
    statement = select(tasks.c.id).where(*judged)
    return set((await connection.execute(statement)).scalars())


async def _look(connection: AsyncConnection, wanted: Filter, budget: int) -> Scanned:
    plan = _plan(wanted, budget)
    statement = (
        select(*task_without_payload)
        .join(plan.scan, plan.scan.c.id == tasks.c.id)
        .where(*plan.residuals)
        .order_by(_ordered(tasks.c.id, wanted))
        .limit(wanted.limit + 1)
    )
    found = [to_task(row) for row in await connection.execute(statement)]
    if len(found) > wanted.limit:
        return Scanned(found[: wanted.limit], found[wanted.limit - 1].id)
    if not plan.residuals:
        return Scanned(found, None)
    return Scanned(found, await _where_the_scan_stopped(connection, plan, wanted))


async def _where_the_scan_stopped(
    connection: AsyncConnection, plan: _Plan, wanted: Filter
) -> UUID | None:
    last = func.min(plan.scan.c.id) if wanted.descending else func.max(plan.scan.c.id)
    row = (await connection.execute(select(func.count(), last).select_from(plan.scan))).one()
    scanned, boundary = row
    return boundary if scanned >= plan.budget else None


def _plan(wanted: Filter, budget: int) -> _Plan:
    columns = filters.indexed(wanted)
    is_aside = wanted.schedule is not None or bool(wanted.tag_ids)
    driver = None if is_aside else next(iter(columns), None)
    residuals = [condition for name, condition in columns.items() if name != driver]
    residuals += filters.unindexed(wanted)
    values = filters.indexed_values(wanted)[driver] if driver is not None else ()
    budget = min(budget, _MOST_READ // max(1, len(values))) if residuals else wanted.limit + 1
    if wanted.schedule is not None:
        return _Plan(_scan_fires(wanted, budget), residuals, budget)
    if wanted.tag_ids:
        return _Plan(_scan_tags(wanted, budget), residuals, budget)
    return _Plan(_scan_tasks(wanted, driver, values, budget), residuals, budget)


def _scan_fires(wanted: Filter, budget: int) -> Subquery:
    fire = schedule_fires.c
    statement = select(fire.task_id.label("id")).where(
        fire.namespace == wanted.namespace, fire.name == wanted.schedule
    )
    along = along_index(statement, schedule_fires, "ix_schedule_fires_namespace_name_task_id")
    return _scan([along], fire.task_id, wanted, budget)


def _scan_tags(wanted: Filter, budget: int) -> Subquery:
    statement = select(task_tags.c.task_id.label("id")).where(
        task_tags.c.tag_id == wanted.tag_ids[0]
    )
    along = along_index(statement, task_tags, "ix_task_tags_tag_id_task_id")
    return _scan([along], task_tags.c.task_id, wanted, budget)


def _scan_tasks(
    wanted: Filter, driver: str | None, values: Sequence[object], budget: int
) -> Subquery:
    index = None if driver is None else f"ix_tasks_namespace_{driver}_id"
    whole = select(tasks.c.id).where(tasks.c.namespace == wanted.namespace)
    base = along_index(whole, tasks, index)
    parts = [base]
    if driver is not None:
        parts = [base.where(tasks.c[driver] == one) for one in values]
    return _scan(parts, tasks.c.id, wanted, budget)


def _scan(
    parts: Sequence[Select[tuple[UUID]]],
    id_column: ColumnElement[UUID],
    wanted: Filter,
    budget: int,
) -> Subquery:
    bounded = [part.where(*_bounds(id_column, wanted)) for part in parts]
    return first(bounded, "id", budget, descending=wanted.descending).subquery("scan")


def _bounds(id_column: ColumnElement[UUID], wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.after is not None:
        beyond = id_column < wanted.after if wanted.descending else id_column > wanted.after
        yield beyond
    yield from filters.id_range(id_column, wanted)


def _ordered(column: ColumnElement[UUID], wanted: Filter) -> ColumnElement[UUID]:
    return column.desc() if wanted.descending else column.asc()
