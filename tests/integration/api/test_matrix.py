"""All that the application serves is in the matrix, and closed unless that opens it."""

import re
from collections.abc import Sequence

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from taskq_server.api import access
from taskq_server.api.dashboard_path import ASSETS, ROOT, STRANGERS
from taskq_server.api.strict_route import StrictRoute
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed

LISTED = {**access.ACCESS, **access.OF_PAGES}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}
ANY_ID = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"


def operation(route: BaseRoute) -> str:
    """Return the name of a route in the matrix."""
    match route:
        case StrictRoute():
            return route.operation_id or route.name
        case Mount():
            return route.path
    raise AssertionError(f"{route!r} is of a kind that checks no scope")


def unlisted(served: Sequence[BaseRoute]) -> list[str]:
    return [name for name in map(operation, served) if name not in LISTED]


def test_each_route_and_mount_is_in_the_matrix() -> None:
    served = create_app(Settings()).routes
    assert unlisted(served) == []
    assert set(map(operation, served)) == set(LISTED)


def test_a_new_one_is_found() -> None:
    app = create_app(Settings())
    app.router.routes.append(StrictRoute("/new", lambda: None, name="new"))
    app.mount("/mounted", FastAPI())
    assert unlisted(app.routes) == ["new", "/mounted"]
    app.add_route("/metrics", lambda _: None)
    with pytest.raises(AssertionError, match="checks no scope"):
        unlisted(app.routes)


async def test_each_is_closed_unless_the_matrix_opens_it(runtime: Runtime) -> None:
    async with calling_closed(runtime) as client:
        for route in create_app(runtime=runtime).routes:
            assert isinstance(route, Route | Mount)
            if route.path.startswith(ROOT):
                continue
            path = route.path.replace("{task_id:task_id}", ANY_ID)
            path = path.replace("{operation_id:task_id}", ANY_ID)
            path = path.replace("{key_id:key_id}", "A" * 12).replace("{name:path}", "mails/1")
            path = path.replace("{name:schedule}", "nightly")
            assert "{" not in path
            is_open = access.ACCESS[operation(route)].is_open
            for method in METHODS:
                status = (await client.request(method, path)).status_code
                expected = (200 if method in ("GET", "HEAD") else 405) if is_open else 401
                assert status == expected, f"{method} {path}"


async def test_so_is_each_page(runtime: Runtime) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    async with calling_closed(runtime) as client:
        for route in create_app(runtime=runtime).routes:
            assert isinstance(route, Route | Mount)
            if not route.path.startswith(ROOT) or LISTED[operation(route)].is_open:
                continue
            path = re.sub(r"\{[^}]*\}", ANY_ID, route.path)
            for method in METHODS:
                where = f"{method} {path}"
                answer = await client.request(method, path, headers=own)
                is_asked = method in ("GET", "HEAD")
                assert answer.status_code == (303 if is_asked else 401), where
                if not is_asked:
                    assert (await client.request(method, path)).status_code == 421, where
                part = await client.request(method, path, headers={**own, "HX-Request": "true"})
                assert part.status_code == 401, where


async def test_what_everybody_may_ask_of_the_dashboard(runtime: Runtime) -> None:
    served = create_app(runtime=runtime).routes
    pages = [each for each in served if isinstance(each, Route) and each.path.startswith(ROOT)]
    is_open = [each for each in pages if LISTED[operation(each)].is_open]
    asked = {(method, each.path) for each in is_open for method in each.methods or ()}
    files = {f"{ASSETS}{{digest}}/{{name}}", f"{ASSETS}{{rest:path}}"}
    assert {path for _, path in asked} >= files
    assert {(method, path) for method, path in asked if path not in files} == STRANGERS
