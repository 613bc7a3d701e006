"""Routes of schedules: tasks that are submitted at their times."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from taskq_server.api import answers, pages, prefix
from taskq_server.api.body.reading import MERGE_PATCH
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import IfMatch, IfNoneMatch, RuntimeDep
from taskq_server.api.errors import InvalidHeader, NoSuchPath
from taskq_server.api.headers import EntityTags
from taskq_server.api.openapi.responses import BODY, ETAG, LINK, LOCATION, STORE, failures, reply
from taskq_server.api.strict_route import OptionalBodyRoute, StrictRoute
from taskq_server.domain.errors import (
    DeclaredInCode,
    InvalidCursor,
    InvalidPayload,
    InvalidSchedule,
    QuotaExceeded,
    ScheduleNotFound,
    UniqueConflict,
    UnknownHandler,
    UnknownTimezone,
    UnusableHandler,
    VersionMismatch,
)
from taskq_server.domain.naming import DECLARED
from taskq_server.domain.schedule import Schedule
from taskq_server.schemas.fields import ScheduleName
from taskq_server.schemas.schedule import (
    NewName,
    SchedulePage,
    SchedulePatch,
    SchedulePause,
    ScheduleQuery,
    ScheduleRead,
    ScheduleWrite,
    shown,
)
from taskq_server.schemas.task import TaskRead

_WITHOUT_NOTE = SchedulePause()


class ScheduleRoute(StrictRoute):
    """A route whose body has a task one level below its own."""

    envelope = 1


class _NameConvertor(StringConvertor):
    regex = f"{DECLARED}.+|[^/]+"


register_url_convertor("schedule", _NameConvertor())

_ONE = "/schedules/{name:schedule}"
_SETS = (
    *(*BODY, *STORE, InvalidHeader, VersionMismatch, DeclaredInCode, InvalidSchedule),
    *(UnknownTimezone, UnknownHandler, UnusableHandler, InvalidPayload, QuotaExceeded),
)
_FINDS = (*STORE, ScheduleNotFound, NoSuchPath)
_MERGE_PATCH = {
    "requestBody": {
        "content": {MERGE_PATCH: {"schema": {"$ref": "#/components/schemas/SchedulePatch"}}}
    }
}

InPath = Annotated[ScheduleName, Path(description="the schedule's name")]
NewInPath = Annotated[NewName, Path(description="the schedule's name")]

router = APIRouter(route_class=ScheduleRoute, tags=["schedules"])
pauses = APIRouter(route_class=OptionalBodyRoute, tags=["schedules"])


@router.get(
    "/schedules",
    operation_id="list_schedules",
    summary="List schedules",
    response_model=SchedulePage,
    responses={**reply(200, "one page, by name", LINK), **failures(*STORE, InvalidCursor)},
)
async def list_schedules(
    query: Annotated[ScheduleQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """List schedules, those included that are paused or have ended."""
    page = await runtime.schedules.list(
        caller_of(request.scope),
        handler=query.handler,
        paused=query.paused,
        limit=query.limit,
        cursor=query.cursor,
    )
    body = {"items": [shown(each) for each in page.items], "next_cursor": page.next_cursor}
    return answers.document(body, headers=pages.link(request, "/schedules", page.next_cursor))


@router.put(
    _ONE,
    operation_id="set_schedule",
    summary="Set a schedule",
    response_model=ScheduleRead,
    responses={
        **reply(200, "the schedule, replaced or as it was", ETAG),
        **reply(201, "the new schedule", LOCATION, ETAG, model=ScheduleRead),
        **failures(*_SETS, NoSuchPath),
    },
)
async def put(
    name: NewInPath,
    wanted: ScheduleWrite,
    request: Request,
    runtime: RuntimeDep,
    if_match: IfMatch,
    if_none_match: IfNoneMatch,
) -> Response:
    """Make a schedule, or replace it; one that is so already keeps its version.

    What is left out has its default, but for `paused` and `note`, which stay as they are: so a
    deployment that sets its schedules resumes none that somebody has paused. The tasks are
    submitted by the rights of the key that has changed the schedule last. `If-None-Match: *` makes
    a schedule and replaces none.
    """

    def expect(found: Schedule | None) -> bool:
        is_meant = if_match is None or (found is not None and _names(if_match, found))
        return is_meant and not (
            if_none_match is not None and found is not None and _has(if_none_match, found)
        )

    done = await runtime.schedules.put(
        caller_of(request.scope), name, wanted.as_new_schedule(), expect
    )
    if not done.is_new:
        return _answer(done.schedule)
    located = {"Location": prefix.address(request.scope, f"/schedules/{name}")}
    return _answer(done.schedule, 201, located)


@router.get(
    _ONE,
    operation_id="get_schedule",
    summary="Get a schedule",
    response_model=ScheduleRead,
    responses={
        **reply(200, "the schedule", ETAG),
        **reply(304, "the caller has this state", ETAG),
        **failures(*_FINDS, InvalidHeader),
    },
)
async def get(
    name: InPath, request: Request, runtime: RuntimeDep, if_none_match: IfNoneMatch
) -> Response:
    """Return a schedule, and how it has fired."""
    schedule = await runtime.schedules.get(caller_of(request.scope), name)
    if if_none_match is not None and _has(if_none_match, schedule):
        return Response(status_code=304, headers={"ETag": f'"{_state(schedule)}"'})
    return _answer(schedule)


@router.patch(
    _ONE,
    operation_id="update_schedule",
    summary="Change a schedule",
    response_model=ScheduleRead,
    openapi_extra=_MERGE_PATCH,
    responses={
        **reply(200, "the schedule", ETAG),
        **failures(*_SETS, ScheduleNotFound, NoSuchPath),
    },
)
async def update(
    name: InPath,
    changes: SchedulePatch,
    request: Request,
    runtime: RuntimeDep,
    if_match: IfMatch,
) -> Response:
    """Change a schedule: a JSON merge patch (RFC 7396), also within `task` and its payload.

    The result is checked as a whole, and its tasks are submitted by the rights of this key.
    """

    def expect(found: Schedule | None) -> bool:
        return if_match is None or (found is not None and _names(if_match, found))

    caller = caller_of(request.scope)
    return _answer(await runtime.schedules.patch(caller, name, changes.as_patch(), expect))


@router.delete(
    _ONE,
    operation_id="delete_schedule",
    summary="Delete a schedule",
    status_code=204,
    responses={
        **reply(204, "the schedule is gone"),
        **failures(*_FINDS, DeclaredInCode),
    },
)
async def delete(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Delete a schedule; its tasks stay, and still know its name."""
    await runtime.schedules.delete(caller_of(request.scope), name)
    return Response(status_code=204)


@pauses.post(
    f"{_ONE}/pause",
    operation_id="pause_schedule",
    summary="Pause a schedule",
    response_model=ScheduleRead,
    responses={
        **reply(200, "the schedule, which fires at no time from now on", ETAG),
        **failures(*BODY, *_FINDS),
    },
)
async def pause(
    name: InPath, request: Request, runtime: RuntimeDep, wanted: SchedulePause = _WITHOUT_NOTE
) -> Response:
    """Pause a schedule: once this has answered, it fires at no time; what runs goes on.

    A time that waited for the end of the last task is given up.
    """
    caller = caller_of(request.scope)
    return _answer(await runtime.schedules.pause(caller, name, wanted.note))


@router.post(
    f"{_ONE}/resume",
    operation_id="resume_schedule",
    summary="Resume a schedule",
    response_model=ScheduleRead,
    responses={
        **reply(200, "the schedule, which fires at its next time", ETAG),
        **failures(*_FINDS),
    },
)
async def resume(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Let a schedule fire again: the times of the pause are gone, and so is its note."""
    return _answer(await runtime.schedules.resume(caller_of(request.scope), name))


@router.post(
    f"{_ONE}/fire",
    operation_id="fire_schedule",
    summary="Fire a schedule now",
    status_code=201,
    response_model=TaskRead,
    responses={
        **reply(201, "the task", LOCATION, ETAG),
        **failures(
            *(*_FINDS, UniqueConflict, UnknownHandler, UnusableHandler, InvalidPayload),
            QuotaExceeded,
        ),
    },
)
async def fire(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Submit the task of a schedule now, paused or not; its times stay as they are."""
    details = await runtime.schedules.fire(caller_of(request.scope), name)
    located = {"Location": prefix.address(request.scope, f"/tasks/{details.task.id}")}
    return answers.task(details, 201, located)


def _answer(
    schedule: Schedule, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    tagged = {"ETag": f'"{_state(schedule)}"', **(headers or {})}
    return answers.document(shown(schedule), status, tagged)


def _state(schedule: Schedule) -> str:
    """Return the version that callers have made, and the number of times that have passed since."""
    return f"{schedule.version}-{schedule.fired + schedule.skipped + schedule.missed}"


def _has(tags: EntityTags, schedule: Schedule) -> bool:
    return tags.any or _state(schedule) in tags.strong | tags.weak


def _names(tags: EntityTags, schedule: Schedule) -> bool:
    """Return whether one of them is this version, whatever times have passed."""
    version = str(schedule.version)
    return tags.any or any(each.partition("-")[0] == version for each in tags.strong)
