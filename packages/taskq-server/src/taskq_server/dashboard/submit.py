"""Submit a task: choose a handler, and fill in the form that its schema makes."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import JsonValue

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import error_page, forms
from taskq_server.dashboard.filters import in_path
from taskq_server.dashboard.form_values import is_day
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.plain_text import readable_json
from taskq_server.dashboard.rendering import page, see_other, translated
from taskq_server.dashboard.schema_form import fields_of
from taskq_server.dashboard.submit_form import SubmitForm
from taskq_server.domain.caller import Caller
from taskq_server.domain.declared_keys import unique_key
from taskq_server.domain.errors import FieldError, IdempotencyMismatch, InvalidFields, TaskqError
from taskq_server.domain.task import TaskDetails
from taskq_server.runtime import Runtime
from taskq_server.schemas.fields import HandlerName, Id
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.catalog import KnownHandler
from taskq_server.services.submission import IdempotencyKey
from taskq_server.services.submit import Submitted

_LONG = 16_384
_KEY = re.compile("[0-9a-f]{32}")
_OF_FORM = "key"
_SWITCH = "switch"

InPath = Annotated[HandlerName, Path(description="the handler's name, which may have slashes")]
From = Annotated[Id | None, Query(alias="from", description="a task to fill the form from")]

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)


@router.get(f"{ROOT}/submit", operation_id="submit")
async def choose(request: Request, runtime: RuntimeDep) -> Response:
    """Show the handlers that the caller may submit to."""
    caller = caller_of(request.scope)
    listed = await runtime.catalog.handlers(caller)
    handlers = [one for one in listed if caller.may_run(one.name)]
    return page(request, "submit.html", handlers=handlers)


@router.get(f"{ROOT}/submit/{{handler:path}}", operation_id="submit")
async def form(
    handler: InPath, request: Request, runtime: RuntimeDep, task: From = None
) -> Response:
    """Show the form of a handler, filled from an older task if one is named."""
    caller = caller_of(request.scope)
    known = await _required(runtime, caller, handler)
    if task is None:
        return _form(request, known, SubmitForm.filled(known.shown, {}, {}))
    details = await runtime.read.get(caller, task)
    payload = json.loads(details.task.payload)
    filled = SubmitForm.filled(known.shown, payload, _own(known, details, payload))
    return _form(request, known, filled, source=details.task)


@actions.post(f"{ROOT}/submit/{{handler:path}}", operation_id="submit")
async def submit(handler: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Submit the task that a form says, or show its payload in the other way."""
    values = _once(await forms.read(request))
    caller = caller_of(request.scope)
    known = await _required(runtime, caller, handler)
    if sum(map(len, values.values())) > _LONG:
        await runtime.turns.next()
    sent = SubmitForm.sent(known.shown, values)
    try:
        match values.get(_SWITCH):
            case "json":
                return _form(request, known, sent.with_json(), key=values.get(_OF_FORM))
            case "fields":
                return _form(request, known, sent.with_fields(known.shown), values.get(_OF_FORM))
            case _:
                document = sent.document(handler)
                submitted = await _submit(runtime, caller, document, values.get(_OF_FORM))
    except TaskqError as error:
        return _refused(request, known, sent, error)
    return _done(request, handler, submitted)


async def _required(runtime: Runtime, caller: Caller, handler: str) -> KnownHandler:
    caller.check_may_run({"/handler": handler})
    return await runtime.catalog.require(caller, handler)


async def _submit(
    runtime: Runtime, caller: Caller, document: dict[str, JsonValue], key: str | None
) -> Submitted:
    """Submit as `POST /tasks` does; the form's own key makes one task of it, however often."""
    if key is None or _KEY.fullmatch(key) is None:
        detail = "the form has no key of its own: load the page again"
        raise InvalidFields(detail, [FieldError("", "invalid-form", detail)])
    new = forms.parsed(TaskCreate, document)
    once = IdempotencyKey.of(f"dashboard:{key}", document)
    return await runtime.submit.one(caller, new.as_new_task(), key=once)


def _form(
    request: Request,
    known: KnownHandler,
    shown: SubmitForm,
    key: str | None = None,
    status: int = 200,
    **more: Any,
) -> Response:
    errors: Mapping[str, list[str]] = more.get("errors", {})
    return page(
        request,
        "submit_form.html",
        status=status,
        schema=readable_json(json.dumps(known.shown, ensure_ascii=False)),
        is_day=is_day,
        is_own_open=not shown.is_plain or any(one.pointer in errors for one in shown.own),
        handler=known.handler,
        unusable=known.problem,
        form=shown,
        has_fields=fields_of(known.shown) is not None,
        key=key if key and _KEY.fullmatch(key) else uuid4().hex,
        **{"problem": None, "errors": {}, "source": None, **more},
    )


def _refused(
    request: Request, known: KnownHandler, sent: SubmitForm, error: TaskqError
) -> Response:
    """Show the form again with all that was typed, and with what is wrong beside its fields."""
    problem = error_page.problem(request, error)
    is_used = isinstance(error, IdempotencyMismatch)
    if is_used:
        problem["detail"] = translated(
            request, "This form has made its task already. Submit it again to make another one."
        )
    return _form(
        request,
        known,
        sent,
        key=None if is_used else sent.values.get(_OF_FORM),
        status=problem["status"],
        problem=problem,
        errors=sent.beside(error.errors if isinstance(error, InvalidFields) else ()),
    )


def _done(request: Request, handler: str, submitted: Submitted) -> Response:
    """Lead to the task, and say whether it is the one that the form was to make."""
    task = submitted.details.task
    if submitted.is_conflict:
        said = translated(
            request,
            "No task was made, because task %(id)s (%(status)s) has this unique key.",
            id=task.id,
            status=translated(request, task.status),
        )
    elif submitted.replayed:
        said = translated(request, "This form has made its task already: here it is.")
    else:
        said = translated(request, "The task is submitted.")
    if not submitted.has_listener:
        more = translated(request, "No live worker listens to its queue.")
        said = f"{said} {more}"
    is_shown = not submitted.details.is_hidden
    there = f"/tasks/{task.id}" if is_shown else f"/submit/{in_path(handler)}"
    return see_other(request, there, said)


def _own(
    known: KnownHandler, details: TaskDetails, payload: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return what an older task says of itself that its handler would not say."""
    task, handler = details.task, known.handler
    defaults = handler.defaults
    usual: dict[str, JsonValue] = {
        "title": handler.name,
        "priority": defaults.priority.label,
        "tags": [*sorted(set(defaults.tags))],
        "queue": defaults.queue,
        "timeout_seconds": handler.timeout_seconds,
        "max_retries": handler.max_retries,
        "unique_key": unique_key(handler.name, defaults.unique_key, payload)
        if defaults.unique_key is not None
        else None,
    }
    given: dict[str, JsonValue] = {
        "title": task.title,
        "description": task.description,
        "priority": task.priority.label,
        "tags": list(details.tags),
        "queue": task.queue,
        "timeout_seconds": task.timeout_seconds,
        "max_retries": task.max_retries,
        "backoff_base_seconds": task.backoff_base_seconds,
        "backoff_max_seconds": task.backoff_max_seconds,
        "keep_seconds": details.keep_seconds,
        "unique_key": details.unique_key,
    }
    return {
        name: value
        for name, value in given.items()
        if value is not None and value != usual.get(name)
    }


def _once(form: forms.Form) -> dict[str, str]:
    """Return the fields of a form by name, each of which it has once."""
    values = dict(form.fields)
    if len(values) < len(form.fields):
        detail = "the form has a field twice"
        raise InvalidFields(detail, [FieldError("", "repeated", detail)])
    return values
