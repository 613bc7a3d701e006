"""Sign in with a key, sign out, and choose the namespace that an operator sees."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from taskq_server.api import problems, sessions
from taskq_server.api.caller import known_caller
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.rate_limits import count_failure
from taskq_server.api.sessions import session_of
from taskq_server.dashboard import forms, local_address
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import page
from taskq_server.dashboard.viewer import stranger, viewer_of
from taskq_server.domain.errors import (
    DatabaseUnavailable,
    PermissionDenied,
    RateLimited,
    TaskqError,
    Unauthenticated,
)

router = APIRouter(route_class=PageRoute)


@router.get(f"{ROOT}/sign-in", operation_id="sign_in")
async def sign_in_page(request: Request, runtime: RuntimeDep, next: str = "") -> Response:
    """Ask for a key, unless whoever asks is known already."""
    there = local_address.below(stranger(request), next)
    if session_of(request.scope) is not None:
        return _lead(there)
    is_possible = sessions.cookie_name(request.scope, runtime.settings) is not None
    return _form(request, there, is_possible=is_possible)


@router.post(f"{ROOT}/sign-in", operation_id="sign_in")
async def sign_in(request: Request, runtime: RuntimeDep) -> Response:
    """Begin a session with a key; one that the browser has had before ends."""
    form = await forms.read(request)
    there = local_address.below(stranger(request), form.get("next"))
    name = sessions.cookie_name(request.scope, runtime.settings)
    if name is None or known_caller(request.scope) == runtime.caller:
        return _form(request, there, is_possible=name is not None)
    try:
        token = await _begin(request, runtime, (form.get("key") or "").strip())
    except (Unauthenticated, RateLimited, DatabaseUnavailable) as error:
        return _form(request, there, error)
    answer = _lead(there)
    sessions.give(answer, name, token, runtime.settings.session_hours * 3_600)
    return answer


@router.post(f"{ROOT}/sign-out", operation_id="sign_out")
async def sign_out(request: Request, runtime: RuntimeDep) -> Response:
    """End the session, and let the browser forget it."""
    await _end(request, runtime)
    answer = _lead(stranger(request).path("/sign-in"))
    name = sessions.cookie_name(request.scope, runtime.settings)
    if name is not None:
        sessions.take_back(answer, name)
    return answer


@router.get(f"{ROOT}/namespace", operation_id="choose_namespace")
async def namespace_page(request: Request, runtime: RuntimeDep) -> Response:
    """Show an operator all namespaces."""
    _check_operator(request)
    return page(request, "namespace.html", namespaces=await runtime.namespaces.use())


@router.post(f"{ROOT}/namespace", operation_id="choose_namespace")
async def choose_namespace(request: Request, runtime: RuntimeDep) -> Response:
    """Let an operator see another namespace, from its first page on."""
    _check_operator(request)
    session = session_of(request.scope)
    token = sessions.token_of(request.scope, runtime.settings)
    name = sessions.cookie_name(request.scope, runtime.settings)
    wanted = (await forms.read(request)).get("namespace") or ""
    assert session is not None
    assert token is not None
    assert name is not None
    new = await runtime.sessions.choose_namespace(token, wanted)
    answer = _lead(viewer_of(request).path())
    left = (session.expires_at - runtime.clock()).total_seconds()
    sessions.give(answer, name, new, left)
    return answer


async def _begin(request: Request, runtime: RuntimeDep, key: str) -> str:
    try:
        token = await runtime.sessions.sign_in(key)
    except Unauthenticated:
        count_failure(runtime, request.scope)
        raise
    await _end(request, runtime)
    return token


async def _end(request: Request, runtime: RuntimeDep) -> None:
    token = sessions.token_of(request.scope, runtime.settings)
    if token is not None:
        await runtime.sessions.sign_out(token)


def _check_operator(request: Request) -> None:
    """Check that there is a namespace to choose, and a session to choose it for.

    Raises:
        PermissionDenied: there is not.
    """
    viewer = viewer_of(request)
    if viewer.caller is None or not viewer.caller.is_operator:
        raise PermissionDenied("only an operator's key may see other namespaces", [])
    if session_of(request.scope) is None:
        raise PermissionDenied(
            "this request shows its key, so it names the namespace itself: send Taskq-Namespace", []
        )


def _form(
    request: Request, there: str, error: TaskqError | None = None, *, is_possible: bool = True
) -> Response:
    status = 200 if is_possible else 403
    answer = page(
        request,
        "sign_in.html",
        viewer=stranger(request) if known_caller(request.scope) is None else viewer_of(request),
        status=status if error is None else problems.kind_of(error).status,
        there=there,
        is_possible=is_possible,
        is_wrong=isinstance(error, Unauthenticated),
        error=error,
    )
    if error is not None:
        answer.headers.update(problems.headers(error))
    return answer


def _lead(there: str) -> Response:
    return RedirectResponse(there, 303, {"Cache-Control": "no-store"})
