"""What pages of other sites may do, and what every answer says to browsers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from taskq_server.api.browsers import ALLOWED_HEADERS, EXPOSED_HEADERS
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.keys import make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker

TASK = {"handler": "taskq.echo", "payload": {"value": 1}}
LISTED = "https://app.example.com"
OTHERS = (
    *("null", "", "*", "https://evil.example", "http://app.example.com", f"{LISTED}:8443"),
    *(f"{LISTED}.evil.example", f"{LISTED}/", f" {LISTED}/x", "https://APP.example.com"),
    *("https://xapp.example.com", "https://x.app.example.com", f"{LISTED}, https://evil.example"),
)
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@asynccontextmanager
async def serving(
    runtime: Runtime, allowed_hosts: list[str] | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The API with other settings."""
    changed = runtime.settings.model_copy(update=settings)
    app = create_app(runtime=replace(runtime, settings=changed), allowed_hosts=allowed_hosts)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


def check_hardened(response: httpx.Response, policy: str | None = None) -> None:
    headers = response.headers
    assert headers.get_list("x-content-type-options") == ["nosniff"], response
    assert headers.get_list("referrer-policy") == ["same-origin"], response
    [found] = headers.get_list("content-security-policy")
    assert found == (policy or found)
    assert "frame-ancestors 'none'" in found


async def test_every_answer_has_security_headers(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    task = f"/tasks/{(await submit(delay_seconds=3600))['id']}"
    strict = "default-src 'none'; frame-ancestors 'none'"
    for status, method, path in (
        *((200, "GET", path) for path in ("/livez", "/readyz", "/tasks", "/stats", task)),
        *((200, "GET", path) for path in ("/openapi.json", "/docs/assets/favicon.png")),
        *((404, "GET", path) for path in ("/nowhere", "/docs/assets/none.js")),
        (307, "GET", "/"),
        *((405, method, "/tasks") for method in ("PUT", "OPTIONS", "TRACE")),
        *((422, "GET", "/tasks?no=1"), (415, "POST", "/tasks"), (200, "HEAD", task)),
        *((200, "POST", f"{task}/cancel"), (204, "DELETE", task)),
    ):
        response = await api.request(method, path)
        assert response.status_code == status, (method, path)
        check_hardened(response, strict)
    check_hardened(await api.post("/tasks", json=TASK), strict)
    for path in ("/docs", "/redoc"):
        response = await api.get(path)
        check_hardened(response)
        assert "default-src 'self'" in response.headers["content-security-policy"]
    async with serving(runtime, auth="required") as closed:
        check_hardened(await closed.get("/tasks"), strict)
    async with serving(runtime, allowed_hosts=["another"]) as local:
        misdirected = await local.get("/tasks")
        assert misdirected.status_code == 421
        check_hardened(misdirected, strict)


async def test_errors_outside_of_all_routes_have_them_too() -> None:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
        response = await api.get("/tasks", headers={"Origin": LISTED})
        assert response.json()["code"] == "not-started"
        check_hardened(response)


def cors_headers(headers: Mapping[str, str]) -> list[str]:
    return [name for name in headers if name.lower().startswith("access-control-")]


async def test_no_page_is_let_in_unless_its_origin_is_listed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    async def check(client: httpx.AsyncClient, origin: str) -> None:
        for method in ("GET", "OPTIONS", "POST"):
            headers = {"Origin": origin, **PREFLIGHT}
            response = await client.request(method, "/tasks", headers=headers)
            assert cors_headers(response.headers) == [], origin

    await check(api, LISTED)
    async with serving(runtime, cors_origins=(LISTED,)) as opened:
        for origin in OTHERS:
            await check(opened, origin)
        twice = [("Origin", LISTED), ("Origin", "https://evil.example")]
        assert cors_headers((await opened.get("/tasks", headers=twice)).headers) == []


async def test_preflights_of_listed_origins_are_answered_before_the_guard(
    runtime: Runtime,
) -> None:
    async with serving(runtime, auth="required", cors_origins=(LISTED,)) as closed:
        for path in ("/tasks", "/tasks/batch", "/nowhere", "/docs", "/livez"):
            headers = {"Origin": LISTED, **PREFLIGHT}
            response = await closed.options(path, headers=headers)
            assert (response.status_code, response.content) == (204, b"")
            allowed = response.headers["access-control-allow-headers"].lower().split(", ")
            assert {"authorization", "content-type"} <= set(allowed)
            methods = response.headers["access-control-allow-methods"].split(", ")
            assert {"POST", "PATCH", "DELETE"} <= set(methods)
            assert response.headers["access-control-allow-origin"] == LISTED
            assert "access-control-allow-credentials" not in response.headers
            assert response.headers["vary"] == "Origin"
            check_hardened(response)
        for headers in (
            *({"Origin": origin, **PREFLIGHT} for origin in OTHERS),
            {"Origin": LISTED},
            PREFLIGHT,
        ):
            assert (await closed.options("/tasks", headers=headers)).status_code == 401, headers
        for method in ("GET", "POST", "HEAD"):
            headers = {"Origin": LISTED, **PREFLIGHT}
            assert (await closed.request(method, "/tasks", headers=headers)).status_code == 401


async def test_a_page_of_a_listed_origin_reads_answers_and_refusals(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    page = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
    async with serving(runtime, auth="required", cors_origins=("http://x", LISTED)) as closed:
        key = shown(await make_key(runtime, "tasks:read", "tasks:run:*"))
        created = await closed.post("/tasks", json=TASK, headers={**page, **key})
        refused = await closed.get("/tasks", headers=page)
        assert (created.status_code, refused.status_code) == (201, 401)
        for response in (created, refused):
            assert response.headers.get_list("access-control-allow-origin") == [LISTED]
            exposed = response.headers["access-control-expose-headers"].lower().split(", ")
            assert {"etag", "location", "retry-after", "x-request-id"} <= set(exposed)
            assert response.headers.get_list("vary") == ["Origin"]
        assert (await closed.get("/livez")).headers.get_list("vary") == ["Origin"]


@pytest.mark.parametrize("hosts", [["taskq"], None])
async def test_a_page_of_a_listed_origin_needs_no_key_where_nobody_does(
    runtime: Runtime, submit: Submit, hosts: list[str] | None
) -> None:
    cancel = f"/tasks/{(await submit(delay_seconds=3600))['id']}/cancel"
    page = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
    async with serving(runtime, hosts, cors_origins=(LISTED,)) as opened:
        assert (await opened.get("/tasks", headers=page)).status_code == 200
        assert (await opened.post(cancel, headers=page)).status_code == 200
        if hosts:
            answer = await opened.get("/tasks", headers={**page, "Host": "evil.example"})
            assert answer.status_code == 421


async def test_every_header_of_the_document_may_be_sent_and_read(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    sent = {
        parameter["name"].lower()
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert sent
    assert sent <= {name.lower() for name in ALLOWED_HEADERS}
    assert set(document["components"]["headers"]) <= set(EXPOSED_HEADERS)


FOREIGN: tuple[list[tuple[str, str]], ...] = (
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "")],
    [("Origin", "http://taskq.evil.example")],
    [("Origin", "http://taskq@evil.example")],
    [("Origin", "http://taskq"), ("Origin", "http://evil.example")],
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "Cross-Site")],
    [("Origin", "https://evil.example"), ("Authorization", "Basic dGFza3E6dGFza3E=")],
    [("Origin", "https://evil.example"), ("Content-Type", "application/json")],
)
OF_ALLOWED_HOST: tuple[list[tuple[str, str]], ...] = (
    [("Origin", "http://taskq:8000")],
    [("Origin", "http://taskq"), ("Sec-Fetch-Site", "cross-site")],
)
FORMS = (
    {},
    {"content": b"{}", "headers": [("Content-Type", "text/plain")]},
    {"content": b"a=1", "headers": [("Content-Type", "application/x-www-form-urlencoded")]},
    {"content": b"--", "headers": [("Content-Type", "multipart/form-data; boundary=x")]},
    {"content": b"{}", "headers": [("Content-Type", "text/plain; x=application/json")]},
)


@pytest.mark.parametrize("hosts", [["taskq"], None])
async def test_a_foreign_page_changes_nothing_without_a_preflight(
    runtime: Runtime, submit: Submit, hosts: list[str] | None
) -> None:
    task = f"/tasks/{(await submit(delay_seconds=3600))['id']}"
    own = [("Origin", "http://taskq")]
    async with serving(runtime, hosts) as opened:
        for page in FOREIGN if hosts else (*FOREIGN, *OF_ALLOWED_HOST):
            for path in (f"{task}/cancel", f"{task}/retry", "/tasks", "/later"):
                for form in FORMS:
                    headers = [*page, *form.get("headers", ())]
                    response = await opened.post(path, content=form.get("content"), headers=headers)
                    assert response.status_code == 421, (page, path, form)
                    assert response.json()["code"] == "misdirected-request"
        assert (await opened.get(task)).json()["status"] == "queued"
        assert (await opened.post(f"{task}/cancel", headers=own)).status_code == 200


ALIKE = (
    ("taskq", "http://taskq"),
    ("Taskq:80", "http://taskq"),
    ("taskq:443", "https://taskq"),
    ("taskq:8000", "http://TASKQ:8000"),
    ("[::1]:8000", "http://[::1]:8000"),
)


@pytest.mark.parametrize(("host", "origin"), ALIKE)
async def test_own_pages_and_programs_change_what_they_like(
    runtime: Runtime, submit: Submit, host: str, origin: str
) -> None:
    async with serving(runtime) as opened:
        for headers in (
            {"Host": host, "Origin": origin, "Sec-Fetch-Site": "same-origin"},
            {"Host": host, "Sec-Fetch-Site": "none"},
            {"Host": host},
        ):
            task = f"/tasks/{(await submit(delay_seconds=3600))['id']}"
            assert (await opened.post(f"{task}/cancel", headers=headers)).status_code == 200


async def test_a_key_makes_up_for_a_foreign_page(runtime: Runtime, submit: Submit) -> None:
    cancel = f"/tasks/{(await submit(delay_seconds=3600))['id']}/cancel"
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with serving(runtime, auth="required") as closed:
        assert (await closed.post(cancel, headers=page)).status_code == 401
        key = shown(await make_key(runtime, "tasks:write"))
        assert (await closed.post(cancel, headers={**page, **key})).status_code == 200
