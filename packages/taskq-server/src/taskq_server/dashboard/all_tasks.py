"""One action on all tasks that match: count them first, and begin once that is confirmed."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, JsonValue

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import forms, task_filters
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import page, see_other
from taskq_server.dashboard.steering import fitting, offered_for_all
from taskq_server.dashboard.task_filters import Asked
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain import limits
from taskq_server.domain.bulk import Action
from taskq_server.domain.task import Priority
from taskq_server.schemas.bulk import BulkCreate
from taskq_server.schemas.fields import Id
from taskq_server.schemas.fields import Request as Body
from taskq_server.services.submission import IdempotencyKey

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)

_PATH = f"{ROOT}/tasks/all/{{action}}"


class _Confirmed(Body):
    """What the confirmation sends besides: a key against sending it twice, and the count."""

    key: Id
    expected: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] = ""


@router.get(_PATH, operation_id="bulk")
async def ask(
    action: Action, asked: Annotated[Asked, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Count the tasks that match, and ask whether all of them are meant."""
    wanted = asked.bulk_filter()
    count = await runtime.bulk.count(caller_of(request.scope), action, wanted.as_filter())
    return page(
        request,
        "confirm_all.html",
        action=action,
        asked=asked,
        filter=task_filters.as_words(wanted),
        count=count,
        fitting=fitting(action, count.by_status),
        most=limits.BULK_TASKS,
        priorities=[priority.label for priority in reversed(Priority)],
        key=uuid4(),
        is_offered=action in offered_for_all(viewer_of(request)),
    )


@actions.post(_PATH, operation_id="bulk")
async def begin(
    action: Action, asked: Annotated[Asked, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Begin the operation, and lead to its page; the same form sent again leads there, too."""
    form = await forms.read(request)
    confirmed = forms.parsed(_Confirmed, form.given("key", "expected"))
    body: dict[str, JsonValue] = {
        "action": action.value,
        "filter": task_filters.as_words(asked.bulk_filter()),
        "limit": limits.BULK_TASKS,
    }
    priority = form.get("priority") if action is Action.UPDATE else None
    if priority is not None:
        body["changes"] = {"priority": priority}
    wanted = forms.parsed(BulkCreate, body)
    key = IdempotencyKey.of(f"dashboard {confirmed.key} {priority}", body)
    begun = await runtime.bulk.begin(caller_of(request.scope), wanted.as_new_operation(), key)
    of = f"?of={confirmed.expected}" if confirmed.expected else ""
    return see_other(request, f"/bulk/{begun.operation.id}{of}")
