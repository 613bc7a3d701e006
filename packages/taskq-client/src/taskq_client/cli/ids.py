"""Ids of tasks on a command line: whole ones, and how one begins."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import click

from taskq_client._channels import finish
from taskq_client._sync import TaskqClient
from taskq_client.cli.problems import AmbiguousId, NoSuchId, NoTaskId
from taskq_client.models import ListFilters, Task

PAGE = 200
SHOWN = 4
YEARS_AHEAD = timedelta(days=3_650)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS_OF_TIME = 12
_GROUPS = (8, 4, 4, 4, 12)


def read_id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check the form of an id, or of how one begins, before a request is sent."""
    try:
        return str(UUID(value))
    except ValueError:
        pass
    if span_of(value) is None:
        raise NoTaskId(f"{value!r} is not the id of a task")
    return _canonical(value)


class Span(NamedTuple):
    """From when, and until before when, ids with some beginning are made."""

    start: datetime
    end: datetime


def span_of(beginning: str) -> Span | None:
    """Compute when the ids of tasks with this beginning are made.

    Ids are UUIDs of version 7, which begin with the milliseconds since 1970.

    Args:
        beginning: The first hexadecimal digits of an id, with or without its hyphens.

    Returns:
        The times, or None if no task's id can begin like this.
    """
    digits = beginning.replace("-", "")
    if not re.fullmatch(r"[0-9a-fA-F]{1,31}", digits):
        return None
    if "-" in beginning and not _canonical(digits).startswith(beginning.lower().rstrip("-")):
        return None
    first, last = (int(digits[:_DIGITS_OF_TIME].ljust(_DIGITS_OF_TIME, to), 16) for to in "0f")
    limit = (datetime.now(UTC) + YEARS_AHEAD - _EPOCH) // timedelta(milliseconds=1)
    if first > limit:
        return None
    start, end = (_EPOCH + timedelta(milliseconds=at) for at in (first, min(last, limit) + 1))
    return Span(start, end)


def whole_id(client: TaskqClient, given: str) -> str:
    """Return an id, or the only id with this beginning, which is found with one request.

    Args:
        client: The client of the server.
        given: What `read_id` has read.

    Raises:
        NoSuchId: No task has such an id.
        AmbiguousId: Several tasks have, or there are too many to tell.
    """
    if len(given) == len(str(UUID(int=0))):
        return given
    found, is_all = tasks_with(client, given)
    if len(found) == 1 and is_all:
        return found[0].id
    if not found and is_all:
        raise NoSuchId(f"no task has an id that begins with {given!r}")
    raise AmbiguousId(_candidates(given, found, is_all=is_all))


def tasks_with(client: TaskqClient, beginning: str) -> tuple[list[Task], bool]:
    """Find tasks whose ids have this beginning, with one request.

    Returns:
        The newest of the tasks, and whether they are all.
    """
    span = span_of(beginning)
    if span is None:
        return [], True
    filters = ListFilters(created_after=span.start, created_before=span.end, limit=PAGE)
    page = finish(client._core.tasks.first_page(filters))
    found = [task for task in page.items if task.id.startswith(beginning)]
    return found, page.next_cursor is None


def _candidates(given: str, found: list[Task], *, is_all: bool) -> str:
    if not found:
        return f"{given!r} begins too many ids to look through"
    number = f"{len(found)}{'' if is_all else ' or more'}"
    shown = [f"{task.id} ({task.handler}, {task.status})" for task in found[:SHOWN]]
    rest = "" if is_all and len(found) <= SHOWN else " and others"
    return f"{given!r} begins the ids of {number} tasks: {', '.join(shown)}{rest}"


def _canonical(digits: str) -> str:
    return "-".join(_groups(digits.replace("-", "").lower()))


def _groups(digits: str) -> Iterator[str]:
    start = 0
    for size in _GROUPS:
        if group := digits[start : start + size]:
            yield group
        start += size
