"""What a submit stored, or found under its unique key."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field, RootModel

from taskq_client import _answers
from taskq_client._channels import Answer
from taskq_client._model import Model
from taskq_client.models import OpenStatus, Page, Task


class Submitted(NamedTuple):
    """What an item of a submit has become.

    Attributes:
        task: The task.
        conflict: Whether it was there already, with the same unique key; None if the server says
            it only of the batch, and it may be any of several items.
    """

    task: Task
    conflict: bool | None = False


class _Holder(Model):
    """All that a caller is told of a task which it may not read."""

    id: str
    status: OpenStatus


_UNTOLD: dict[str, Any] = {
    **dict.fromkeys(("handler", "title", "priority", "queue"), ""),
    **dict.fromkeys(("timeout_seconds", "max_retries", "current_retry_count"), 0),
    **dict.fromkeys(("attempt", "version"), 0),
    **dict.fromkeys(("created_at", "updated_at"), datetime.fromtimestamp(0, UTC)),
}
"""Stands for what a task must have and the caller is not told."""

_Found = Annotated[Task | _Holder, Field(union_mode="left_to_right")]


class _OneFound(RootModel[_Found]):
    """A task, or what is told of it."""


def one(answer: Answer) -> Submitted:
    """Read the answer to the submit of a task."""
    if not _has_conflict(answer):
        return Submitted(_answers.decode(answer, Task))
    return Submitted(_as_task(_answers.decode(answer, _OneFound).root), conflict=True)


def many(answer: Answer) -> list[Submitted]:
    """Read the answer to the submit of a batch, whose first item with a unique key leads."""
    if not _has_conflict(answer):
        return [Submitted(task) for task in _answers.decode(answer, Page[Task]).items]
    tasks = [_as_task(each) for each in _answers.decode(answer, Page[_Found]).items]
    return list(map(Submitted, tasks, _conflicts(tasks, is_certain=answer.status == 200)))


def _has_conflict(answer: Answer) -> bool:
    return answer.headers.get("unique-conflict") == "true"


def _conflicts(tasks: Sequence[Task], *, is_certain: bool) -> Iterator[bool | None]:
    seen: set[str] = set()
    for task in tasks:
        is_told = "handler" in task.model_fields_set
        if is_certain or not is_told or task.id in seen:
            yield True
        else:
            yield False if task.unique_key is None else None
        seen.add(task.id)


def _as_task(found: Task | _Holder) -> Task:
    if isinstance(found, Task):
        return found
    told: dict[str, Any] = {"id": found.id, "status": found.status}
    return Task.model_construct(set(told), **_UNTOLD, **told)
