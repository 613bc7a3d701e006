"""Make schedules, change them, and show their times while one writes them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.schedules import InPath
from taskq_server.dashboard import error_page, forms, schedule_form
from taskq_server.dashboard.filters import in_path
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import fragment, page, see_other, translated
from taskq_server.dashboard.schedules import ONE, show
from taskq_server.domain.errors import FieldError, InvalidFields, TaskqError
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.times import Timing, describe, require, upcoming
from taskq_server.schemas.fields import Request as Body
from taskq_server.schemas.preview import PreviewQuery
from taskq_server.schemas.schedule import NewName
from taskq_server.services.schedules import Expect

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)

Text = Annotated[str, Query()]


class _Named(Body):
    name: NewName


@router.get(f"{ROOT}/new-schedule", operation_id="set_schedule")
async def new(request: Request, handler: Text = "") -> Response:
    """Show the form of a schedule that is yet to be made."""
    fields = [*schedule_form.NEW.fields, ("handler", handler)]
    return page(request, "schedule_new.html", form=forms.Form(fields), problem=None)


@router.get(f"{ROOT}/new-schedule/times", operation_id="preview_schedule")
async def times(
    request: Request,
    runtime: RuntimeDep,
    cron: Text = "",
    every_seconds: Text = "",
    timezone: Text = "",
    starts_at: Text = "",
    ends_at: Text = "",
) -> Response:
    """Show the next times of what stands in the form."""
    given = {
        "cron": cron,
        "every_seconds": every_seconds,
        "timezone": timezone,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    now = runtime.clock()
    try:
        query = forms.parsed(PreviewQuery, {name: each for name, each in given.items() if each})
        shown = (query.cron, query.every_seconds, query.timezone, query.starts_at, query.ends_at)
        require(*shown)
        timing = Timing(*shown, created_at=now)
        found, text = upcoming(timing, now, query.count), describe(timing)
    except InvalidFields as error:
        # 200, because the answer is the sentence for the one who is still writing.
        return fragment(request, "schedule_times.html", times=[], text="", refused=str(error))
    return fragment(request, "schedule_times.html", times=found, text=text, refused="")


@actions.post(f"{ROOT}/new-schedule", operation_id="set_schedule")
async def make(request: Request, runtime: RuntimeDep) -> Response:
    """Make a schedule; one of its name that is there stays as it is."""
    form = await forms.read(request)
    try:
        name = forms.parsed(_Named, {"name": form.get("name") or ""}).name
        wanted = schedule_form.wanted(form).as_new_schedule()
        await runtime.schedules.put(caller_of(request.scope), name, wanted, _nothing(name))
    except TaskqError as error:
        problem = error_page.problem(request, error)
        status = problem["status"]
        return page(request, "schedule_new.html", status=status, form=form, problem=problem)
    said = translated(request, "The schedule is there.")
    return see_other(request, f"/schedules/{in_path(name)}", said)


@actions.post(f"{ONE}/edit", operation_id="set_schedule")
async def edit(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Change a schedule, unless somebody else has done so since the form was made."""
    form, caller = await forms.read(request), caller_of(request.scope)
    try:
        wanted = schedule_form.wanted(form).as_new_schedule()
        await runtime.schedules.put(caller, name, wanted, _version(form))
    except TaskqError as error:
        problem = error_page.problem(request, error)
        found = await runtime.schedules.get(caller, name)
        return show(request, runtime, found, form=form, problem=problem)
    said = translated(request, "The schedule is changed.")
    return see_other(request, f"/schedules/{in_path(name)}", said)


def _nothing(name: str) -> Expect:
    def expect(found: Schedule | None) -> bool:
        if found is not None:
            detail = f"there is a schedule {name} already: choose another name"
            raise InvalidFields(detail, [FieldError("/name", "taken", detail)])
        return True

    return expect


def _version(form: forms.Form) -> Expect:
    version = form.get("version")
    return lambda found: found is not None and str(found.version) == version
