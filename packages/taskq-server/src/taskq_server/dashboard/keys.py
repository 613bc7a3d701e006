"""API keys: list, make, rotate and revoke them."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.keys import KeyId
from taskq_server.dashboard import error_page, forms
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import page
from taskq_server.domain import scopes
from taskq_server.domain.errors import FieldError, InvalidFields, TaskqError
from taskq_server.runtime import Runtime
from taskq_server.schemas.key import KeyCreate, KeyQuery, KeyRotate

_MOST_DAYS = 36_500

_KEY = f"{ROOT}/keys/{{key_id:key_id}}"

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)


@router.get(f"{ROOT}/keys", operation_id="list_keys")
async def keys(
    query: Annotated[KeyQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show the keys that the caller manages, revoked and expired ones included."""
    return await _list(request, runtime, query)


@actions.post(f"{ROOT}/keys", operation_id="create_key")
async def create(request: Request, runtime: RuntimeDep) -> Response:
    """Make a key, and show it this once."""
    form = await forms.read(request)
    try:
        wanted = forms.parsed(KeyCreate, _members(form, runtime))
        made = await runtime.keys.create(caller_of(request.scope), wanted.as_new_key())
    except TaskqError as error:
        problem = error_page.problem(request, error)
        return await _list(request, runtime, KeyQuery(), form=form, problem=problem)
    return page(request, "key_made.html", status=201, key=made.key, secret=made.token.text)


@actions.post(f"{_KEY}/rotate", operation_id="rotate_key")
async def rotate(key_id: KeyId, request: Request, runtime: RuntimeDep) -> Response:
    """Give a key a new secret, and show it this once."""
    form = await forms.read(request)
    wanted = forms.parsed(KeyRotate, forms.with_numbers(form.given("overlap_seconds")))
    caller = caller_of(request.scope)
    made = await runtime.keys.rotate(caller, key_id, wanted.overlap_seconds)
    return page(request, "key_made.html", status=201, key=made.key, secret=made.token.text)


@actions.post(f"{_KEY}/revoke", operation_id="revoke_key")
async def revoke(key_id: KeyId, request: Request, runtime: RuntimeDep) -> Response:
    """Revoke a key for good, and show what goes on without it."""
    caller = caller_of(request.scope)
    key = await runtime.keys.revoke(caller, key_id)
    made = await runtime.keys.made_by(caller, key_id)
    return page(request, "key_revoked.html", key=key, made=made)


async def _list(
    request: Request, runtime: Runtime, query: KeyQuery, form: forms.Form | None = None, **more: Any
) -> Response:
    found = await runtime.keys.list(
        caller_of(request.scope), query.namespace, limit=query.limit, cursor=query.cursor
    )
    given = query.model_dump(include={"namespace", "limit"}, exclude_defaults=True)
    problem = more.get("problem")
    return page(
        request,
        "keys.html",
        status=problem["status"] if problem else 200,
        keys=found.items,
        next_cursor=found.next_cursor,
        query=list(given.items()),
        now=runtime.clock(),
        plain_scopes=sorted(scopes.PLAIN),
        form=form or forms.Form([]),
        problem=problem,
    )


def _members(form: forms.Form, runtime: Runtime) -> dict[str, Any]:
    """Return the members of a body that makes the key of a form."""
    globs = (form.get("run") or "").split()
    members: dict[str, Any] = form.given("name", "namespace", "rate_limit")
    members["scopes"] = [*form.all("scopes"), *(f"{scopes.RUN}{each}" for each in globs)]
    days = form.get("expires_days")
    if days is not None:
        members["expires_at"] = (runtime.clock() + timedelta(days=_days(days))).isoformat()
    return members


def _days(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _MOST_DAYS:
        return int(text)
    detail = f"expires_days: must be a whole number of days from 1 to {_MOST_DAYS}"
    raise InvalidFields(detail, [FieldError("/expires_days", "invalid-value", detail)])
