"""Routes of API keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from taskq_server.api import answers, pages
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.errors import NoSuchPath
from taskq_server.api.openapi.responses import BODY, CACHE_CONTROL, LINK, STORE, failures, reply
from taskq_server.api.strict_route import OptionalBodyRoute, StrictRoute
from taskq_server.domain import limits
from taskq_server.domain.errors import InvalidCursor, KeyEnded, KeyNotFound
from taskq_server.domain.keys import ApiKey
from taskq_server.schemas.key import (
    CallerRead,
    KeyCreate,
    KeyCreated,
    KeyPage,
    KeyQuery,
    KeyRead,
    KeyRevoked,
    KeyRotate,
)
from taskq_server.services.keys import KeyWithSecret

_ID_PATTERN = f"[0-9A-Za-z]{{{limits.KEY_ID_LENGTH}}}"
_USUAL_ROTATION = KeyRotate()


class _KeyIdConvertor(StringConvertor):
    regex = _ID_PATTERN


register_url_convertor("key_id", _KeyIdConvertor())

_KEY = "/keys/{key_id:key_id}"
KeyId = Annotated[str, Path(description="the key's id", pattern=f"^{_ID_PATTERN}$")]


router = APIRouter(route_class=StrictRoute, tags=["keys"])
rotations = APIRouter(route_class=OptionalBodyRoute, tags=["keys"])


@router.post(
    "/keys",
    operation_id="create_key",
    summary="Make a key",
    status_code=201,
    response_model=KeyCreated,
    responses={
        **reply(201, "the new key; no other answer has its secret", CACHE_CONTROL),
        **failures(*BODY, *STORE),
    },
)
async def create(wanted: KeyCreate, request: Request, runtime: RuntimeDep) -> Response:
    """Make a key: only an operator's gives it scopes that it has not itself."""
    return _with_secret(await runtime.keys.create(caller_of(request.scope), wanted.as_new_key()))


@router.get(
    "/keys",
    operation_id="list_keys",
    summary="List keys",
    response_model=KeyPage,
    responses={
        **reply(200, "one page, the newest first", LINK),
        **failures(*STORE, InvalidCursor),
    },
)
async def list_keys(
    query: Annotated[KeyQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """List the keys of the caller's namespace, revoked and expired ones included."""
    page = await runtime.keys.list(
        caller_of(request.scope), query.namespace, limit=query.limit, cursor=query.cursor
    )
    headers = pages.link(request, "/keys", page.next_cursor)
    shown = KeyPage(items=[KeyRead.of(key) for key in page.items], next_cursor=page.next_cursor)
    return answers.document(shown.model_dump(), headers=headers)


@router.get(
    "/keys/self",
    operation_id="whoami",
    summary="Get the caller",
    response_model=CallerRead,
    responses={**reply(200, "the caller"), **failures(*STORE, KeyNotFound)},
)
async def whoami(request: Request, runtime: RuntimeDep) -> Response:
    """Tell whose key this is, and what it opens; any key may ask."""
    caller = caller_of(request.scope)
    return answers.document(CallerRead.of(caller, await runtime.keys.own(caller)).model_dump())


@router.get(
    _KEY,
    operation_id="get_key",
    summary="Get a key",
    response_model=KeyRead,
    responses={**reply(200, "the key"), **failures(*STORE, KeyNotFound, NoSuchPath)},
)
async def get(key_id: KeyId, request: Request, runtime: RuntimeDep) -> Response:
    """Return a key without its secret."""
    return _shown(await runtime.keys.get(caller_of(request.scope), key_id))


@rotations.post(
    f"{_KEY}/rotate",
    operation_id="rotate_key",
    summary="Give a key a new secret",
    status_code=201,
    response_model=KeyCreated,
    responses={
        **reply(201, "the key; no other answer has its new secret", CACHE_CONTROL),
        **failures(*BODY, *STORE, KeyNotFound, NoSuchPath, KeyEnded),
    },
)
async def rotate(
    key_id: KeyId, request: Request, runtime: RuntimeDep, wanted: KeyRotate = _USUAL_ROTATION
) -> Response:
    """Give a key a new secret: its id stays, and the present secret opens for the overlap."""
    caller = caller_of(request.scope)
    return _with_secret(await runtime.keys.rotate(caller, key_id, wanted.overlap_seconds))


@router.post(
    f"{_KEY}/revoke",
    operation_id="revoke_key",
    summary="Revoke a key",
    response_model=KeyRevoked,
    responses={**reply(200, "the key is revoked"), **failures(*STORE, KeyNotFound, NoSuchPath)},
)
async def revoke(key_id: KeyId, request: Request, runtime: RuntimeDep) -> Response:
    """Revoke a key for good, with all its secrets; it opens nothing a second later.

    What it has made goes on by the rights that it had, and is named: delete those schedules, or set
    them again with another key, and stop those bulk operations.
    """
    caller = caller_of(request.scope)
    key = await runtime.keys.revoke(caller, key_id)
    made = await runtime.keys.made_by(caller, key_id)
    body = {
        **KeyRead.of(key).model_dump(),
        "operations": [{"namespace": each.namespace, "id": each.id} for each in made.operations],
        "schedules": [{"namespace": each.namespace, "name": each.name} for each in made.schedules],
    }
    return answers.document(body)


def _shown(key: ApiKey) -> Response:
    return answers.document(KeyRead.of(key).model_dump())


def _with_secret(made: KeyWithSecret) -> Response:
    body = {**KeyRead.of(made.key).model_dump(), "key": made.token.text}
    return answers.document(body, 201, {"Cache-Control": "no-store"})
