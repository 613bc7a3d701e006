"""One action on some selected tasks: show what is meant, then act on each by itself."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, assert_never
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import forms
from taskq_server.dashboard.page_route import ActionRoute
from taskq_server.dashboard.rendering import page, see_other, translated
from taskq_server.dashboard.steering import check_each, fitting
from taskq_server.dashboard.task_filters import Asked
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain import limits
from taskq_server.domain.bulk import Action
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import TaskNotFound, TaskqError, Unavailable
from taskq_server.domain.requests import TaskChanges
from taskq_server.domain.task import Priority, TaskDetails
from taskq_server.runtime import Runtime
from taskq_server.schemas.bulk import BulkChanges
from taskq_server.schemas.fields import Id
from taskq_server.schemas.fields import Request as Body

_AT_ONCE = 8

actions = APIRouter(route_class=ActionRoute)


class _Selected(Body):
    """Tasks that were selected on one page of the list."""

    id: Annotated[list[Id], Field(min_length=1, max_length=limits.PAGE_ITEMS)]


@dataclass(slots=True)
class _Outcome:
    """What became of some tasks: those that were refused, by the sentence that says why."""

    done: int = 0
    refused: defaultdict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))


@actions.post(f"{ROOT}/tasks/selected/{{action}}", operation_id="list")
async def act(
    action: Action, asked: Annotated[Asked, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Ask whether the selected tasks are meant, and act on them once that is confirmed."""
    check_each(viewer_of(request), action)
    form = await forms.read(request)
    if not form.all("id"):
        return see_other(request, asked.path(), translated(request, "No task is selected."))
    ids = list(dict.fromkeys(forms.parsed(_Selected, {"id": form.all("id")}).id))
    if form.get("confirmed") is None:
        return await _confirmation(request, runtime, action, asked, ids)
    outcome = await _act(runtime, caller_of(request.scope), action, form, ids)
    done = _said(request, action, outcome.done)
    if not outcome.refused:
        return see_other(request, asked.path(), done)
    return page(request, "selection_done.html", asked=asked, done=done, refused=outcome.refused)


async def _confirmation(
    request: Request, runtime: Runtime, action: Action, asked: Asked, ids: Sequence[UUID]
) -> Response:
    caller = caller_of(request.scope)
    found = await asyncio.gather(*(_read(runtime, caller, each) for each in ids))
    tasks = [each for each in found if each is not None]
    by_status = Counter(each.task.status for each in tasks)
    return page(
        request,
        "confirm_selected.html",
        action=action,
        asked=asked,
        tasks=tasks,
        fitting=fitting(action, by_status),
        priorities=[priority.label for priority in reversed(Priority)],
    )


async def _read(runtime: Runtime, caller: Caller, task_id: UUID) -> TaskDetails | None:
    try:
        return await runtime.read.get(caller, task_id)
    except TaskNotFound:
        return None


async def _act(
    runtime: Runtime, caller: Caller, action: Action, form: forms.Form, ids: Sequence[UUID]
) -> _Outcome:
    changes = None
    if action is Action.UPDATE:
        wanted = forms.parsed(BulkChanges, form.given("priority"))
        priority = Priority.from_label(wanted.priority)
        changes = TaskChanges(given=frozenset({"priority"}), priority=priority)
    outcome = _Outcome()

    async def one(task_id: UUID) -> None:
        try:
            await _change(runtime, caller, action, task_id, changes)
        except Unavailable:
            raise  # the other tasks would find the same, each after its own wait
        except TaskqError as error:
            outcome.refused[str(error)].append(task_id)
        else:
            outcome.done += 1

    for first in range(0, len(ids), _AT_ONCE):
        await asyncio.gather(*map(one, ids[first : first + _AT_ONCE]))
    return outcome


async def _change(
    runtime: Runtime, caller: Caller, action: Action, task_id: UUID, changes: TaskChanges | None
) -> None:
    match action:
        case Action.RETRY:
            await runtime.change.retry(caller, task_id)
        case Action.CANCEL:
            await runtime.change.cancel(caller, task_id)
        case Action.DELETE:
            await runtime.change.delete(caller, task_id)
        case Action.UPDATE:
            assert changes is not None, "an update has changes"
            await runtime.change.update(caller, task_id, changes)
        case _:
            assert_never(action)


def _said(request: Request, action: Action, number: int) -> str:
    match action:
        case Action.RETRY:
            return translated(request, "Queued again: %(number)s.", number=number)
        case Action.CANCEL:
            return translated(
                request,
                "Cancelled: %(number)s. What runs is interrupted within a second or so.",
                number=number,
            )
        case Action.DELETE:
            return translated(request, "Deleted: %(number)s.", number=number)
        case Action.UPDATE:
            return translated(request, "Priority set: %(number)s.", number=number)
        case _:
            assert_never(action)
