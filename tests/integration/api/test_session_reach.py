"""What a session opens: the dashboard and what its pages load, and nothing else."""

import asyncio
import re
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from fastapi import Request

from taskq_server.api.caller import check_again
from taskq_server.domain.keys import new_token
from taskq_server.domain.sessions import new_token as new_session
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.browsing import LOCAL, OWN, SECURE, browsing, sign_in
from tests.integration.api.callers import Caller
from tests.integration.api.keys import ALL, asking_for_keys, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker

QUEUES = "/dashboard/queues"
TASK = {"handler": "taskq.echo", "payload": {"value": 1}}
OTHER_HOSTS = ("https://evil.example", "http://localhost:3000", "http://localhost", "null")


def kept(browser: httpx.AsyncClient) -> tuple[str, str]:
    """The name and the value of the one cookie that a browser has kept."""
    ((name, value),) = browser.cookies.items()
    return name, value


@pytest.mark.parametrize("at", [LOCAL, SECURE])
async def test_it_opens_what_pages_load(runtime: Runtime, at: str) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime, at) as browser:
        paths = (QUEUES, "/docs", "/redoc", "/openapi.json", "/docs/assets/swagger-ui.css")
        for path in paths[1:]:
            assert (await browser.get(path)).status_code == 401, path
        await sign_in(browser, key)
        for path in paths:
            for method in ("GET", "HEAD"):
                assert (await browser.request(method, path)).status_code == 200, path


async def test_it_opens_nothing_else(runtime: Runtime, worker: ScriptedWorker) -> None:
    key = await make_key(runtime, *ALL, namespace="default")
    async with browsing(runtime) as browser:
        task = await browser.post("/tasks", json=TASK, headers=shown(key))
        at = f"/tasks/{task.json()['id']}"
        await sign_in(browser, key)
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/tasks", {"json": TASK}),
            ("GET", "/tasks", {}),
            ("GET", at, {}),
            ("PATCH", at, {"json": {"title": "x"}}),
            ("DELETE", at, {}),
            ("POST", f"{at}/cancel", {}),
            ("GET", f"{at}/events", {}),
            ("POST", "/tasks/bulk", {"json": {"action": "cancel", "filter": {}}}),
            ("POST", "/keys", {"json": {"name": "x", "scopes": ["admin"]}}),
            ("GET", "/keys", {}),
            ("GET", "/stats", {}),
            ("POST", "/stats/events", {}),
            ("GET", "/stats/events/", {}),
            ("GET", "/metrics", {}),
            ("GET", "/", {}),
            ("GET", "/docsx", {}),
            ("GET", "/docs/", {}),
            ("POST", "/openapi.json", {}),
            ("GET", "/openapi.json/x", {}),
            ("GET", "/dashboardx", {}),
            ("GET", "/x/dashboard", {}),
            ("GET", "/queue/dashboard", {}),
            ("GET", "//dashboard", {}),
            ("GET", "/Dashboard", {}),
        ]
        for method, path, more in asked:
            answer = await browser.request(method, path, headers=OWN, **more)
            assert answer.status_code == 401, f"{method} {path}"
        still = await browser.get(at, headers=shown(key))
        assert still.json()["status"] == "queued"


@pytest.mark.parametrize("path", ["/dashboard/../tasks", "/dashboard//../tasks", "/dashboard//x"])
async def test_paths_that_lead_out_of_the_dashboard_are_no_way_out(
    runtime: Runtime, path: str
) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        name, value = kept(browser)
    player = Caller()  # httpx would send another path
    app = create_app(runtime=asking_for_keys(runtime))
    asked = player.get(app, path, host="localhost", cookie=f"{name}={value}")
    await asyncio.wait_for(asked, 60)
    assert player.status == 404


async def test_there_are_none_where_the_dashboard_is_off(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        name, value = kept(browser)
    async with browsing(runtime, dashboard="off") as other:
        other.cookies.set(name, value)
        assert (await other.get("/docs")).status_code == 401


async def test_a_key_in_the_header_counts_alone(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        assert (await browser.get("/docs", headers=shown(new_token()))).status_code == 401
        assert (await browser.get("/docs", headers={"Authorization": ""})).status_code == 401
        lesser = await make_key(runtime, "tasks:write")
        refused = await browser.get(QUEUES, headers=shown(lesser))
        assert refused.status_code == 403


async def test_cookies_that_are_none(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        name, value = kept(browser)
        browser.cookies.clear()

        async def status(*cookies: str) -> int:
            headers = [(b"Cookie", each.encode("latin-1")) for each in cookies]
            return (await browser.get(QUEUES, headers=headers)).status_code

        good = f"{name}={value}"
        assert await status(good) == 200
        assert await status(f"a=b; {good};c") == 200
        assert await status(f"a=b;{good}") == 200
        assert await status("a=b", good) == 200
        assert await status(*(f"c{each}=x" for each in range(500)), good) == 200
        nothing = [
            [good, good],
            [f"{good}; {good}"],
            [f"{good}; {name}={new_session()}"],
            [f"{name}={new_session()}"],
            [f"__Host-taskq={value}"],
            [f'{name}="{value}"'],
            [f"{name.upper()}={value}"],
            [f"{name}={value[:-1]}"],
            [f"{name}={value}x"],
            [f"{name}={value[:-1]}\u00e4"],
            [f"{name}={'0' * 64}"],
            [f"{name}="],
            [name],
            [""],
            [";" * 10_000],
            [f"{good}; x={'y' * 1_000_000}"],
            [f"{name}={'A' * 1_000_000}"],
        ]
        for cookies in nothing:
            assert await status(*cookies) == 303, [each[:80] for each in cookies]
        assert await status(f"{good}; __Host-taskq={new_session()}") == 200, "it means nothing here"


async def test_each_cookie_counts_on_its_own_way(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime, SECURE) as browser:
        await sign_in(browser, key)
        name, value = kept(browser)
        assert name == "__Host-taskq"
    for at, peer in ((LOCAL, "127.0.0.1"), (SECURE, "10.0.0.1"), ("http://taskq", "10.0.0.1")):
        async with browsing(runtime, at, peer=peer) as other:
            for each in ("__Host-taskq", "taskq-session"):
                answer = await other.get(QUEUES, headers={"Cookie": f"{each}={value}"})
                is_right = each == {LOCAL: "taskq-session", SECURE: "__Host-taskq"}.get(at)
                assert answer.status_code == (200 if is_right else 303), (at, each)


async def test_forms_come_from_pages_of_this_server(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    form = {"language": "en"}
    asked = (("/dashboard/language", form), ("/dashboard/queues/mail/pause", {}))
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        refused: list[dict[str, str]] = [
            {},
            *({"Sec-Fetch-Site": each} for each in ("cross-site", "same-site", "none", "", "x")),
            *({"Origin": each} for each in (*OTHER_HOSTS, "https://localhost:8000.evil.example")),
            *({"Origin": each} for each in ("", "localhost:8000", "//localhost:8000")),
            *({"Origin": LOCAL, "Sec-Fetch-Site": each} for each in ("cross-site", "same-site")),
            {"Referer": f"{LOCAL}{QUEUES}"},
            {"Sec-Fetch-Site": "same-origin, cross-site"},
        ]
        for path, fields in asked:
            for headers in refused:
                answer = await browser.post(path, data=fields, headers=headers)
                assert answer.status_code == 421, (path, headers)
                assert "misdirected-request" in answer.text
            twice = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin")]
            assert (await browser.post(path, data=fields, headers=twice)).status_code == 421
            for headers in (OWN, {"Origin": LOCAL}, {"Origin": LOCAL.upper(), **OWN}):
                answer = await browser.post(path, data=fields, headers=headers)
                assert answer.status_code == 303, (path, headers)
        assert "paused" in (await browser.get(QUEUES)).text


async def test_so_does_the_sign_in(runtime: Runtime) -> None:
    """Otherwise a site could sign its visitors in with its own key, and see what they do."""
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            for path in ("/dashboard/sign-in", "/dashboard/sign-out", "/dashboard/namespace"):
                answer = await browser.post(path, data={"key": key.text}, headers=headers)
                assert answer.status_code == 421
                assert "set-cookie" not in answer.headers


async def test_nor_does_cors_let_other_sites_in(runtime: Runtime) -> None:
    listed = "https://app.example.com"
    key = await make_key(runtime, *ALL)
    async with browsing(runtime, SECURE, cors_origins=(listed, SECURE)) as browser:
        await sign_in(browser, key)
        for more in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
            headers = {"Origin": listed, **more}
            answer = await browser.post("/dashboard/queues/mail/pause", headers=headers)
            assert answer.status_code == 421
            assert "access-control-allow-credentials" not in answer.headers
        own = await browser.post("/dashboard/queues/mail/pause", headers={"Origin": SECURE, **OWN})
        assert own.status_code == 303


async def test_behind_a_proxy_that_ends_tls(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    proxy, said = "10.0.0.7", {"X-Forwarded-Proto": "https"}
    at = "http://tasks.example.com"
    async with browsing(runtime, at, peer=proxy, trusted_proxies=(ip_network(proxy),)) as browser:
        browser.headers.update(said)
        form = {"key": key.text}
        origin = {"Origin": "https://tasks.example.com"}
        answer = await browser.post("/dashboard/sign-in", data=form, headers=origin)
        assert answer.status_code == 303
        rewritten = {**OWN, **origin, "Host": "127.0.0.1:8000"}
        answer = await browser.post("/dashboard/sign-in", data=form, headers=rewritten)
        assert answer.status_code == 303
        old_browser = {**origin, "Host": "127.0.0.1:8000"}
        answer = await browser.post("/dashboard/sign-in", data=form, headers=old_browser)
        assert answer.status_code == 421


async def test_no_frame_may_show_it(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        answers = [
            await browser.get("/dashboard/sign-in"),
            await browser.post("/dashboard/sign-in", data={"key": "x"}, headers=OWN),
            await browser.post("/dashboard/sign-out"),
            await browser.get(QUEUES),
        ]
        await sign_in(browser, key)
        answers.append(await browser.get(QUEUES))
        for answer in answers:
            (policy,) = answer.headers.get_list("content-security-policy")
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"


async def test_tasks_of_another_namespace_are_not_there(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    await runtime.namespaces.create("other")
    mine = await make_key(runtime, *ALL)
    theirs = await make_key(runtime, *ALL, namespace="other")
    async with browsing(runtime) as browser:
        later = {**TASK, "delay_seconds": 3600}
        task = (await browser.post("/tasks", json=later, headers=shown(mine))).json()["id"]
        await sign_in(browser, theirs)
        at = f"/dashboard/tasks/{task}"
        for path in ("", "/parts", "/payload.json", "/result.json", "/edit"):
            assert (await browser.get(f"{at}{path}")).status_code == 404, path
        assert (await browser.get(f"{at}/events")).text.startswith("event: gone")
        for action in ("cancel", "retry", "delete"):
            answer = await browser.post(f"{at}/{action}", headers=OWN)
            assert answer.status_code == 404, action
        named = {"Taskq-Namespace": "default"}
        assert (await browser.get(QUEUES, headers=named)).status_code == 403
        refused = await browser.post(
            "/dashboard/namespace", data={"namespace": "default"}, headers=OWN
        )
        assert refused.status_code == 403
        still = await browser.get(f"/tasks/{task}", headers=shown(mine))
        assert still.json()["status"] == "queued"


async def test_an_operator_sees_the_namespace_that_was_chosen(runtime: Runtime) -> None:
    await runtime.namespaces.create("other")
    key = await make_key(runtime, *ALL, namespace="*")
    shop = shown(await make_key(runtime, *ALL, namespace="other"))

    def name(page: httpx.Response) -> str:
        found = re.search(r"<strong>(\w+)</strong>", page.text)
        assert found is not None
        return found[1]

    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        assert name(await browser.get(QUEUES)) == "default"
        listed = await browser.get("/dashboard/namespace")
        assert 'value="other"' in listed.text
        wrong = await browser.post("/dashboard/namespace", data={"namespace": "no"}, headers=OWN)
        assert wrong.status_code == 422
        before = kept(browser)
        chosen = await browser.post(
            "/dashboard/namespace", data={"namespace": "other"}, headers=OWN
        )
        assert (chosen.status_code, chosen.headers["Location"]) == (303, "/dashboard")
        assert kept(browser) != before
        assert name(await browser.get(QUEUES)) == "other"
        header = {"Taskq-Namespace": "default"}
        assert name(await browser.get(QUEUES, headers=header)) == "default"
        by_key = await browser.get(QUEUES, headers=shown(key))
        assert name(by_key) == "default"
        assert (await browser.get("/dashboard/namespace", headers=shown(key))).status_code == 403
        assert (await browser.get("/dashboard/namespace", headers=shop)).status_code == 403


async def test_it_opens_the_stream_of_the_counts(runtime: Runtime) -> None:
    """Also to an operator who has not chosen a namespace, because the pages show the usual one."""
    for namespace in ("default", "*"):
        key = await make_key(runtime, "tasks:read", namespace=namespace)
        async with browsing(runtime) as browser:
            assert (await browser.get("/stats/events")).status_code == 401
            await sign_in(browser, key)
            name, value = kept(browser)
        player = Caller()
        app = create_app(runtime=asking_for_keys(runtime))
        scope_of_loopback = {"host": "localhost", "cookie": f"{name}={value}"}
        serving = player.get(app, "/stats/events", **scope_of_loopback)
        piece = await player.piece()
        assert player.status == 200, piece
        assert piece is not None
        player.hangs_up.set()
        await asyncio.wait_for(serving, 60)


async def test_a_request_that_takes_long_asks_again(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    app = create_app(runtime=asking_for_keys(runtime))
    under_way, goes_on = asyncio.Event(), asyncio.Event()

    async def stream(request: Request) -> None:
        await check_again(request.scope)
        under_way.set()
        await goes_on.wait()
        await check_again(request.scope)

    app.add_api_route("/dashboard/stream", stream)
    app.router.routes.insert(0, app.router.routes.pop())  # the last one of all takes all paths
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as browser:
        await sign_in(browser, key)
        following = asyncio.create_task(browser.get("/dashboard/stream"))
        await asyncio.wait_for(under_way.wait(), 60)
        await browser.post("/dashboard/sign-out", headers=OWN)
        goes_on.set()
        assert (await asyncio.wait_for(following, 60)).status_code == 401
