"""The form that changes a task, as far as its status and its viewer's key allow it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep, TaskId
from taskq_server.api.strict_route import TASK_ID
from taskq_server.dashboard import error_page, forms
from taskq_server.dashboard.forms import Form
from taskq_server.dashboard.page_route import ActionRoute
from taskq_server.dashboard.rendering import page, see_other, translated
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import (
    IllegalTransition,
    InvalidFields,
    PermissionDenied,
    TaskqError,
    VersionMismatch,
)
from taskq_server.domain.task import TaskDetails
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskUpdate

actions = APIRouter(route_class=ActionRoute)

Values = Mapping[str, str]
"""What the fields of the form say, by their names, which are those of the API."""

_TRIES = 5
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_WITHOUT_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@actions.get(f"{ROOT}/tasks/{TASK_ID}/edit", operation_id="update")
async def form(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Show the form with what the task says now."""
    if not viewer_of(request).may("update"):
        raise PermissionDenied("this dashboard changes nothing", [])
    details = await runtime.read.get(caller_of(request.scope), task_id)
    return _form(request, details, _values(details))


@actions.post(f"{ROOT}/tasks/{TASK_ID}/edit", operation_id="update")
async def edit(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Change a task; a refusal shows the form again with what was typed."""
    caller = caller_of(request.scope)
    sent = await forms.read(request)
    details = await runtime.read.get(caller, task_id)
    typed = _typed(sent, _values(details))
    try:
        await _update(runtime, caller, task_id, sent)
    except (InvalidFields, IllegalTransition, VersionMismatch) as error:
        details = await runtime.read.get(caller, task_id)
        return _form(request, details, {**_values(details), **typed}, error)
    return see_other(request, f"/tasks/{task_id}", translated(request, "The task is changed."))


async def _update(runtime: Runtime, caller: Caller, task_id: UUID, sent: Form) -> None:
    """Change what was typed otherwise than the form had it.

    A running task has a new version twice a second, as it reports progress. So the form asks only
    that nobody has changed what it shows, and the versions are those of this moment.
    """
    for left in reversed(range(_TRIES)):
        details = await runtime.read.get(caller, task_id)
        shown, version = _values(details), details.task.version
        if sent.get("seen") != _fingerprint(shown):
            detail = f"the task was changed since this form was shown: it is at version {version}"
            raise VersionMismatch(detail)
        typed = _typed(sent, shown)
        changed = {name: _json(name, typed[name]) for name in typed if typed[name] != shown[name]}
        changes = forms.parsed(TaskUpdate, changed).as_changes()
        if not changed:
            return
        try:
            await runtime.change.update(caller, task_id, changes, version=version)
        except VersionMismatch:
            if not left:
                raise
        else:
            return


def _form(
    request: Request, details: TaskDetails, values: Values, error: TaskqError | None = None
) -> Response:
    problem = None if error is None else error_page.problem(request, error)
    now = _values(details)
    return page(
        request,
        "task_edit.html",
        status=problem["status"] if problem else 200,
        task=details.task,
        values=values,
        now=now,
        seen=_fingerprint(now),
        problem=problem,
    )


def _values(details: TaskDetails) -> dict[str, str]:
    task = details.task
    start = task.run_at
    return {
        "title": task.title,
        "description": task.description or "",
        "tags": "\n".join(details.tags),
        "priority": task.priority.label,
        "max_retries": str(task.max_retries),
        "timeout_seconds": f"{task.timeout_seconds:.15g}",
        "run_at": "" if start is None else start.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
    }


def _typed(sent: Form, known: Values) -> dict[str, str]:
    """Return the fields that the form had, those that were left empty included."""
    names = {name for name, _ in sent.fields}
    typed = {name: sent.get(name) or "" for name in known if name in names}
    if "tags" in typed:
        typed["tags"] = "\n".join(filter(None, map(str.strip, typed["tags"].split("\n"))))
    return typed


def _json(name: str, text: str) -> Any:
    """Return what a field says as the API's JSON has it; empty, it resets what it names."""
    if name == "tags":
        return text.split("\n") if text else []
    if not text:
        return None
    if name in ("max_retries", "timeout_seconds") and _NUMBER.fullmatch(text):
        return json.loads(text)
    if name == "run_at":
        return f"{text}:00Z" if _WITHOUT_SECONDS.fullmatch(text) else f"{text}Z"
    return text


def _fingerprint(values: Values) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
