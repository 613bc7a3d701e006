"""Schedules: their list, one with its next times, and what steers them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.schedules import InPath
from taskq_server.dashboard import forms, schedule_form
from taskq_server.dashboard.filters import in_path
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import page, see_other, translated
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.times import describe, upcoming
from taskq_server.runtime import Runtime
from taskq_server.schemas.schedule import SchedulePause, ScheduleQuery, shown

_TIMES = 10

ONE = f"{ROOT}/schedules/{{name:schedule}}"

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)


@router.get(f"{ROOT}/schedules", operation_id="list_schedules")
async def schedules(
    query: Annotated[ScheduleQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show schedules by name, those included that are paused or have ended."""
    found = await runtime.schedules.list(
        caller_of(request.scope),
        handler=query.handler,
        paused=query.paused,
        limit=query.limit,
        cursor=query.cursor,
    )
    given = query.model_dump(mode="json", exclude_defaults=True, exclude={"cursor"})
    if query.paused is not None:
        given["paused"] = "true" if query.paused else "false"
    return page(
        request,
        "schedules.html",
        schedules=[(each, times(each, runtime, 0)[1]) for each in found.items],
        query=list(given.items()),
        is_first=query.cursor is None,
        next_cursor=found.next_cursor,
    )


@router.get(ONE, operation_id="get_schedule")
async def schedule(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Show a schedule, its next times and how it has fired."""
    found = await runtime.schedules.get(caller_of(request.scope), name)
    return show(request, runtime, found)


@actions.post(f"{ONE}/pause", operation_id="pause_schedule")
async def pause(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Pause a schedule, with a note or without one."""
    wanted = forms.parsed(SchedulePause, (await forms.read(request)).given("note"))
    await runtime.schedules.pause(caller_of(request.scope), name, wanted.note)
    return _back(request, name, translated(request, "The schedule is paused."))


@actions.post(f"{ONE}/resume", operation_id="resume_schedule")
async def resume(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Let a schedule fire again."""
    await runtime.schedules.resume(caller_of(request.scope), name)
    return _back(request, name, translated(request, "The schedule fires again."))


@actions.post(f"{ONE}/fire", operation_id="fire_schedule")
async def fire(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Submit the task of a schedule now, and show it."""
    details = await runtime.schedules.fire(caller_of(request.scope), name)
    said = translated(request, "The schedule %(name)s has submitted this task.", name=name)
    return see_other(request, f"/tasks/{details.task.id}", said)


@actions.post(f"{ONE}/delete", operation_id="delete_schedule")
async def delete(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Delete a schedule; its tasks stay."""
    await runtime.schedules.delete(caller_of(request.scope), name)
    said = translated(request, "The schedule %(name)s is deleted; its tasks stay.", name=name)
    return see_other(request, "/schedules", said)


def show(request: Request, runtime: Runtime, schedule: Schedule, **more: Any) -> Response:
    """Return the page of a schedule.

    Args:
        request: asked for it.
        runtime: of the application.
        schedule: to show.
        more: the form and the problem of an edit that was refused.
    """
    next_times, text = times(schedule, runtime, _TIMES)
    given = shown(schedule)["task"]
    problem = more.get("problem")
    return page(
        request,
        "schedule.html",
        status=problem["status"] if problem else 200,
        schedule=schedule,
        task={name: value for name, value in given.items() if value is not None},
        times=next_times,
        text=text,
        form=more.get("form") or schedule_form.filled(schedule),
        problem=problem,
    )


def times(schedule: Schedule, runtime: Runtime, most: int) -> tuple[list[Any], str]:
    """Return the next times of a schedule, and all of them in English.

    A schedule whose zone is no more has none; its row says why.
    """
    try:
        text = describe(schedule.timing)
        if schedule.paused_at is not None or most == 0:
            return [], text
        return upcoming(schedule.timing, runtime.clock(), most), text
    except ValueError as error:
        return [], str(error)


def _back(request: Request, name: str, said: str) -> Response:
    return see_other(request, f"/schedules/{in_path(name)}", said)
