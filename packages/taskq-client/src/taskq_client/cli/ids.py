"""Ids of tasks on a command line: whole ones, and how one begins."""

import re
from collections.abc import Iterator
from itertools import islice
from time import time
from uuid import UUID

import click

from taskq_client._sync import TaskqClient
from taskq_client.cli.problems import AmbiguousId, NoSuchId, NoTaskId
from taskq_client.models import Task

SHOWN = 4
LENGTH = 36
YEARS_AHEAD = 10 * 365 * 86_400
_DIGITS_OF_TIME = 12
_GROUPS = (8, 4, 4, 4, 12)


def read_id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check the form of an id, or of how one begins, before a request is sent."""
    try:
        return str(UUID(value))
    except ValueError:
        pass
    if not may_begin(value):
        raise NoTaskId(f"{value!r} is not the id of a task")
    return _canonical(value)


def may_begin(beginning: str) -> bool:
    """Tell whether ids of tasks can begin like this.

    Ids are UUIDs of version 7, so they begin with the milliseconds since 1970, and none begins with
    a time that is far away.

    Args:
        beginning: The first hexadecimal digits of an id, with or without its hyphens.
    """
    digits = beginning.replace("-", "")
    if not re.fullmatch(r"[0-9a-fA-F]{1,31}", digits):
        return False
    if "-" in beginning and not _canonical(digits).startswith(beginning.lower().rstrip("-")):
        return False
    earliest = int(digits[:_DIGITS_OF_TIME].ljust(_DIGITS_OF_TIME, "0"), 16) / 1000
    return earliest < time() + YEARS_AHEAD


def whole_id(client: TaskqClient, given: str) -> str:
    """Return an id, or the only id with this beginning, which is found with one request.

    Args:
        client: The client of the server.
        given: What `read_id` has read.

    Raises:
        NoSuchId: No task has such an id.
        AmbiguousId: Several tasks have.
    """
    if len(given) == LENGTH:
        return given
    found = tasks_with(client, given, SHOWN + 1)
    if len(found) == 1:
        return found[0].id
    if not found:
        raise NoSuchId(f"no task has an id that begins with {given!r}")
    candidates = [f"{task.id} ({task.handler}, {task.status})" for task in found[:SHOWN]]
    others = " and others" if len(found) > SHOWN else ""
    raise AmbiguousId(f"{given!r} begins the ids of {', '.join(candidates)}{others}")


def tasks_with(client: TaskqClient, beginning: str, most: int) -> list[Task]:
    """Find the newest tasks whose ids have this beginning, with one request."""
    return list(islice(client.list(id=_canonical(beginning), limit=most), most))


def _canonical(digits: str) -> str:
    return "-".join(_groups(digits.replace("-", "").lower()))


def _groups(digits: str) -> Iterator[str]:
    start = 0
    for size in _GROUPS:
        if group := digits[start : start + size]:
            yield group
        start += size
