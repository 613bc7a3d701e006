"""Dependencies of whoever runs the API: they run for every route, `POST /tasks` included."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Security
from fastapi.security import HTTPBearer

from taskq_server import main
from taskq_server.api import access
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.submit import route as submit_route
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.sockets import served
from tests.integration.api.test_submit import ECHO, count, problem

pytestmark = pytest.mark.usefixtures("worker")

ROUTES = (
    *(("POST", "/tasks"), ("GET", "/tasks"), ("POST", "/tasks/batch"), ("POST", "/tasks/wait")),
    *(("GET", "/tags"), ("GET", "/handlers"), ("GET", "/stats"), ("GET", "/livez")),
    *(("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", "/docs")),
    ("GET", "/"),
)
BODIES: dict[str, Any] = {
    "/tasks": ECHO,
    "/tasks/batch": {"items": [ECHO]},
    "/tasks/wait": {"ids": ["019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"]},
}
KEY = {"X-Key": "let me in"}


async def keyed(x_key: Annotated[str | None, Header()] = None) -> None:
    if x_key != KEY["X-Key"]:
        raise HTTPException(401, "say who you are", {"WWW-Authenticate": "Key"})


def with_argument(runtime: Runtime) -> FastAPI:
    return create_app(runtime=runtime, dependencies=[Depends(keyed)])


def with_security(runtime: Runtime) -> FastAPI:
    return create_app(runtime=runtime, dependencies=[Security(keyed, scopes=["tasks"])])


def added_to_the_router(runtime: Runtime) -> FastAPI:
    app = create_app(runtime=runtime)
    app.router.dependencies.append(Depends(keyed))
    return app


WAYS = [with_argument, with_security, added_to_the_router]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The API's own lines; on a busy machine, Redis may also seem to be away for a moment."""
    return [each.getMessage() for each in caplog.records if each.name == "taskq.server.api"]


@pytest.mark.parametrize("make", WAYS)
async def test_they_run_for_every_route(
    runtime: Runtime, make: Callable[[Runtime], FastAPI], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="taskq.server.api"):
        async with served(make(runtime), runtime.settings) as api:
            for method, path in ROUTES:
                sent: dict[str, Any] = {"json": BODIES[path]} if method == "POST" else {}
                refused = await api.http.request(method, path, **sent)
                body = problem(refused, 401, "unauthorized")
                assert (body["title"], body["detail"]) == ("Unauthorized", "say who you are")
                assert refused.headers["www-authenticate"] == "Key"
                assert body["request_id"] == refused.headers["x-request-id"]
            assert (await api.http.get("/tasks", headers=KEY)).json()["items"] == []
            created, handed_on = await api.post(json=ECHO, headers=KEY)
            assert (created.status_code, handed_on) == (201, 1)
    assert said(caplog) == [
        f"POST /tasks goes without its fast path, because that would not run {__name__}.keyed"
    ]


@pytest.mark.parametrize("where", ["route", "router"])
async def test_those_of_one_route_run_too(
    runtime: Runtime, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a developer of taskq would give them: to the decorator, or to the router."""
    given = {"dependencies": [Depends(keyed)]}
    router = APIRouter(route_class=submit_route.StrictRoute, **(given if where == "router" else {}))  # type: ignore[arg-type]
    router.post("/tasks", status_code=201, **(given if where == "route" else {}))(  # type: ignore[arg-type]
        submit_route.submit
    )
    monkeypatch.setattr(main, "_ROUTERS", (router, *main._ROUTERS[1:]))
    async with served(create_app(runtime=runtime), runtime.settings) as api:
        problem((await api.post(json=ECHO))[0], 401, "unauthorized")
        assert await count(api.http) == 0
        assert (await api.post(json=ECHO, headers=KEY))[0].status_code == 201


async def test_without_any_the_fast_path_is_open_and_nothing_is_said(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="taskq.server.api"):
        async with served(create_app(runtime=runtime), runtime.settings) as api:
            created, handed_on = await api.post(json=ECHO)
    assert (created.status_code, handed_on) == (201, 0)
    assert said(caplog) == []


async def test_an_instance_of_a_class_is_one_and_is_in_the_document(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(runtime=runtime, dependencies=[Depends(HTTPBearer())])
    security = app.openapi()["paths"]["/tasks"]["post"]["security"]
    assert security == [{"HTTPBearer": []}]
    async with served(app, runtime.settings) as api:
        assert (await api.post(json=ECHO))[0].status_code in {401, 403}
        headers = {"Authorization": "Bearer x"}
        assert (await api.post(json=ECHO, headers=headers))[0].status_code == 201
    assert "fastapi.security.http.HTTPBearer" in caplog.text


async def test_where_the_route_is_another_the_fast_path_is_closed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ACCESS", {**access.ACCESS, "ours": access.Access()})
    router = APIRouter(route_class=submit_route.StrictRoute)

    @router.post("/tasks")
    async def ours() -> dict[str, str]:
        return {"said": "by another route"}

    monkeypatch.setattr(main, "_ROUTERS", (router, *main._ROUTERS[1:]))
    async with served(create_app(runtime=runtime), runtime.settings) as api:
        assert (await api.post(json=ECHO))[0].json() == {"said": "by another route"}


async def test_an_override_counts_for_both_ways(runtime: Runtime) -> None:
    async def closed() -> None:
        raise HTTPException(503, "closed", {"Retry-After": "9"})

    app = create_app(runtime=runtime)
    async with served(app, runtime.settings) as api:
        assert (await api.post(json=ECHO))[1] == 0
        app.dependency_overrides[RuntimeDep.__metadata__[0].dependency] = closed  # type: ignore[attr-defined]
        for method, path in (("POST", "/tasks"), ("GET", "/tasks")):
            sent: dict[str, Any] = {"json": ECHO} if method == "POST" else {}
            refused = await api.http.request(method, path, **sent)
            problem(refused, 503, "service-unavailable")
            assert refused.headers["retry-after"] == "9"
        app.dependency_overrides.clear()
        created, handed_on = await api.post(json=ECHO)
        assert (created.status_code, handed_on) == (201, 0)


@pytest.mark.parametrize(
    ("raised", "status", "code", "detail"),
    [
        (HTTPException(404, "no such tenant"), 404, "not-found", "no such tenant"),
        (HTTPException(429, {"left": 0}), 429, "too-many-requests", '{"left": 0}'),
        (HTTPException(418), 418, "i-m-a-teapot", "I'm a Teapot"),
        (HTTPException(499, "gone"), 499, "status-499", "gone"),
    ],
)
async def test_what_they_raise_is_a_problem(
    runtime: Runtime, raised: HTTPException, status: int, code: str, detail: str
) -> None:
    async def refuse() -> None:
        raise raised

    app = create_app(runtime=runtime, dependencies=[Depends(refuse)])
    async with served(app, runtime.settings) as api:
        answer, _ = await api.post(json=ECHO)
    assert problem(answer, status, code)["detail"] == detail


async def test_they_may_send_the_caller_elsewhere(runtime: Runtime) -> None:
    async def elsewhere() -> None:
        raise HTTPException(307, headers={"Location": "/login"})

    app = create_app(runtime=runtime, dependencies=[Depends(elsewhere)])
    async with served(app, runtime.settings) as api:
        answer, _ = await api.post(json=ECHO)
    assert (answer.status_code, answer.headers["location"]) == (307, "/login")


async def test_mounted_it_says_so_at_start_and_runs_them(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    inner = with_argument(runtime)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/queue", inner)
    async with served(app, runtime.settings) as api:
        assert (await api.http.get("/of-the-other-app")).status_code == 404
        assert "POST /tasks goes without its fast path" in caplog.text
        assert (await api.post("/queue/tasks", json=ECHO))[0].status_code == 401
        created, _ = await api.post("/queue/tasks", json=ECHO, headers=KEY)
        assert created.status_code == 201


async def test_a_router_that_is_included_elsewhere_says_what_to_do_instead(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """The guards and observers of the API would be missing there."""
    app = FastAPI()
    app.include_router(create_app(runtime=runtime).router, prefix="/queue")
    async with served(app, runtime.settings) as api:
        answer, _ = await api.post("/queue/tasks", json=ECHO)
        assert answer.status_code == 500
    assert "its router cannot be included" in caplog.text
    async with served(create_app(runtime=runtime), runtime.settings) as api:
        assert await count(api.http) == 0


async def test_middleware_of_the_owner_sees_what_the_fast_path_takes(runtime: Runtime) -> None:
    seen: list[str] = []

    class Guard:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append(scope["path"])
            await self._app(scope, receive, send)

    app = create_app(runtime=runtime)
    app.add_middleware(Guard)
    async with served(app, runtime.settings) as api:
        assert (await api.post(json=ECHO))[1] == 0
    assert seen == ["/tasks"]


async def test_routes_are_matched_once(runtime: Runtime) -> None:
    """An included router would look at its routes to find one, and again to serve it."""
    app = with_argument(runtime)
    matched: list[str] = []
    async with served(app, runtime.settings) as api:
        for each in app.routes:
            seen_by(each, matched)
        assert (await api.http.get("/stats", headers=KEY)).status_code == 200
    assert matched == [*dict.fromkeys(matched)]


def seen_by(route: Any, matched: list[str]) -> None:
    found = route.matches

    def matches(scope: Any) -> Any:
        matched.append(f"{getattr(route, 'methods', '')} {route.path}")
        return found(scope)

    route.matches = matches


async def test_a_submit_without_a_socket_runs_them_too(runtime: Runtime) -> None:
    transport = httpx.ASGITransport(with_argument(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as http:
        problem(await http.post("/tasks", json=ECHO), 401, "unauthorized")
