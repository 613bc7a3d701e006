"""The filters of a list as conditions on rows of `tasks`: for a page, and to judge a row again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select

from taskq_server.crud.tables import attempts, schedule_fires, task_tags, tasks
from taskq_server.domain.ids import first_id_of, ids_with
from taskq_server.domain.requests import TaskFilter

Conditions = Sequence[ColumnElement[bool]]

_CLOCK_STEP = timedelta(seconds=1)
_CLOCK_SET_BACK = timedelta(days=1)

# A subquery that yields a value is never turned around: an EXISTS may be, and then every attempt
# of all tasks is read to find those that failed with this error.
_last_error_type = (
    select(attempts.c.error_type)
    .where(attempts.c.task_id == tasks.c.id, attempts.c.attempt == tasks.c.attempt)
    .correlate(tasks)
    .scalar_subquery()
)


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


def conditions(wanted: Filter) -> Conditions:
    """Return all conditions that a row of `tasks` has to meet; `after` and `limit` are none.

    They choose no index: use them with `tasks.id` being one of some ids, or by `listing.page`. To
    judge rows that are to change, lock them with one statement and ask with the next one, because
    the side tables are read as they were when a statement began, before it got its locks.

    Args:
        wanted: the filters.
    """
    conditions = [tasks.c.namespace == wanted.namespace, *indexed(wanted).values()]
    conditions += _has_tags(wanted.tag_ids)
    conditions += _of_row(wanted)
    if wanted.schedule is not None:
        fire = schedule_fires.c
        mine = fire.task_id == tasks.c.id, fire.namespace == wanted.namespace
        conditions.append(exists().where(*mine, fire.name == wanted.schedule))
    if wanted.id_prefix is not None:
        conditions.append(tasks.c.id.between(*ids_with(wanted.id_prefix)))
    return conditions


def indexed(wanted: Filter) -> Mapping[str, ColumnElement[bool]]:
    """Return the conditions on the columns that have an index of their own, the rarest first."""
    values = indexed_values(wanted)
    return {name: tasks.c[name].in_(some) for name, some in values.items()}


def indexed_values(wanted: Filter) -> Mapping[str, Sequence[object]]:
    """Return what a task may have in each column that has an index of its own, the rarest first."""
    every: dict[str, Sequence[object] | None] = {
        "status": wanted.possible_statuses(),
        "handler": wanted.handlers or None,
        "priority": wanted.priorities or None,
        "queue": wanted.queues or None,
    }
    return {name: tuple(dict.fromkeys(some)) for name, some in every.items() if some is not None}


def unindexed(wanted: Filter) -> Conditions:
    """Return the conditions that no scan of ids applies: those of no index, and further tags.

    A scan follows the schedule if one is asked for, or else the first tag.
    """
    tag_ids = wanted.tag_ids if wanted.schedule is not None else wanted.tag_ids[1:]
    return [*_has_tags(tag_ids), *_of_row(wanted)]


def id_range(column: ColumnElement[UUID], wanted: Filter) -> Conditions:
    """Return conditions on the id that every task meets that passes the filters.

    An id begins with the time of its making, so that these bound a scan in the order of ids.
    """
    bounds: list[ColumnElement[bool]] = []
    if wanted.id_prefix is not None:
        bounds.append(column.between(*ids_with(wanted.id_prefix)))
    if wanted.created_after is not None:
        bounds.append(column >= first_id_of(wanted.created_after - _CLOCK_STEP))
    if wanted.created_before is not None:
        bounds.append(column < first_id_of(wanted.created_before + _CLOCK_STEP))
    if wanted.finished_before is not None:
        bounds.append(column < first_id_of(wanted.finished_before + _CLOCK_SET_BACK))
    return bounds


def _has_tags(tag_ids: Sequence[int]) -> list[ColumnElement[bool]]:
    return [
        exists().where(task_tags.c.tag_id == tag_id, task_tags.c.task_id == tasks.c.id)
        for tag_id in tag_ids
    ]


def _of_row(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.created_after is not None:
        found.append(tasks.c.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        found.append(tasks.c.created_at < wanted.created_before)
    if wanted.finished_after is not None:
        found.append(tasks.c.finished_at >= wanted.finished_after)
    if wanted.finished_before is not None:
        found.append(tasks.c.finished_at < wanted.finished_before)
    if wanted.attempt_min is not None:
        found.append(tasks.c.attempt >= wanted.attempt_min)
    if wanted.title_prefix is not None:
        prefix = func.substr(tasks.c.title, 1, len(wanted.title_prefix))
        found.append(prefix == wanted.title_prefix)
    if wanted.error_type is not None:
        found.append(_last_error_type == wanted.error_type)
    return found
