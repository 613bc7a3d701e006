"""Pages of tasks, at a cost that grows neither with the table nor with the depth.

One index drives the scan in the order of ids; the other filters are applied to its rows. A scan
stops after `BUDGET` rows, so a rare combination gives a short page, and the id to continue from.
Most filters find enough rows early, so a scan reads some rows first, and the rest only if needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud.ranges import first
from taskq_server.crud.tables import task_tags, task_without_payload, tasks, to_task
from taskq_server.domain.ids import first_id_of, ids_with
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Task

BUDGET = 2_000
_FIRST_LOOK = 2  # times the limit of the page
_CLOCK_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(TaskFilter):
    """The filters of a list in the database's terms: `tag_ids` stands for `tags`."""

    namespace: str
    tag_ids: tuple[int, ...] = ()
    after: UUID | None = None
    limit: int = 50

    @classmethod
    def of(
        cls,
        wanted: TaskFilter,
        *,
        namespace: str,
        tag_ids: tuple[int, ...],
        after: UUID | None,
        limit: int,
    ) -> Self:
        """Return the filters that a caller wants, in the database's terms."""
        given = {each.name: getattr(wanted, each.name) for each in fields(wanted)}
        return cls(**given, namespace=namespace, tag_ids=tag_ids, after=after, limit=limit)


@dataclass(frozen=True, slots=True)
class Scanned:
    """One page, and the id after which the next page begins; None after the last page."""

    tasks: list[Task]
    next_after: UUID | None


@dataclass(frozen=True, slots=True)
class _Plan:
    scan: Subquery
    residuals: Sequence[ColumnElement[bool]]
    budget: int


async def page(connection: AsyncConnection, wanted: Filter) -> Scanned:
    """Return one page."""
    at_first = min(_FIRST_LOOK * wanted.limit, BUDGET)
    start = await _look(connection, wanted, at_first)
    missing = wanted.limit - len(start.tasks)
    if start.next_after is None or not missing or at_first == BUDGET:
        return start
    rest = replace(wanted, after=start.next_after, limit=missing)
    more = await _look(connection, rest, BUDGET - at_first)
    return Scanned(start.tasks + more.tasks, more.next_after)


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
    filters: dict[str, ColumnElement[bool]] = {}
    if wanted.statuses:
        filters["status"] = tasks.c.status.in_(wanted.statuses)
    if wanted.handler is not None:
        filters["handler"] = tasks.c.handler == wanted.handler
    if wanted.priorities:
        filters["priority"] = tasks.c.priority.in_(wanted.priorities)
    if wanted.queue is not None:
        filters["queue"] = tasks.c.queue == wanted.queue
    driver = None if wanted.tag_ids else next(iter(filters), None)
    residuals = [condition for name, condition in filters.items() if name != driver]
    residuals += _always_residual(wanted)
    budget = budget if residuals else wanted.limit + 1
    scan = _scan_tags(wanted, budget) if wanted.tag_ids else _scan_tasks(wanted, driver, budget)
    return _Plan(scan, residuals, budget)


def _always_residual(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        exists().where(task_tags.c.tag_id == tag_id, task_tags.c.task_id == tasks.c.id)
        for tag_id in wanted.tag_ids[1:]
    ]
    if wanted.created_after is not None:
        conditions.append(tasks.c.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(tasks.c.created_at < wanted.created_before)
    if wanted.title_prefix is not None:
        prefix = func.substr(tasks.c.title, 1, len(wanted.title_prefix))
        conditions.append(prefix == wanted.title_prefix)
    return conditions


def _scan_tags(wanted: Filter, budget: int) -> Subquery:
    statement = select(task_tags.c.task_id.label("id")).where(
        task_tags.c.tag_id == wanted.tag_ids[0]
    )
    along = along_index(statement, task_tags, "ix_task_tags_tag_id_task_id")
    return _scan([along], task_tags.c.task_id, wanted, budget)


def _scan_tasks(wanted: Filter, driver: str | None, budget: int) -> Subquery:
    values: Sequence[object] = {
        "status": wanted.statuses,
        "priority": wanted.priorities,
        "handler": (wanted.handler,),
        "queue": (wanted.queue,),
        None: (),
    }[driver]
    index = None if driver is None else f"ix_tasks_namespace_{driver}_id"
    whole = select(tasks.c.id).where(tasks.c.namespace == wanted.namespace)
    base = along_index(whole, tasks, index)
    parts = [base]
    if driver is not None:
        parts = [base.where(tasks.c[driver] == one) for one in dict.fromkeys(values)]
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
    if wanted.id_prefix is not None:
        yield id_column.between(*ids_with(wanted.id_prefix))
    if wanted.created_after is not None:
        yield id_column >= first_id_of(wanted.created_after - _CLOCK_STEP)
    if wanted.created_before is not None:
        yield id_column < first_id_of(wanted.created_before + _CLOCK_STEP)


def _ordered(column: ColumnElement[UUID], wanted: Filter) -> ColumnElement[UUID]:
    return column.desc() if wanted.descending else column.asc()
