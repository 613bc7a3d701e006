"""Sign in with a key, and out again: what a browser keeps, sees, and is told."""

from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from ipaddress import ip_network

import httpx
import pytest

from taskq_server.domain.keys import new_token
from taskq_server.runtime import Runtime
from taskq_server.services.auth_failures import AuthFailures
from tests.integration.api.browsing import LOCAL, OWN, SECURE, browsing, sign_in
from tests.integration.api.keys import ALL, make_key, shown

PROXY = "10.0.0.7"
TRUSTED = (ip_network(PROXY),)
HTTP = "http://tasks.example.com"


def cookie(answer: httpx.Response) -> Morsel[str]:
    (header,) = answer.headers.get_list("set-cookie")
    (morsel,) = SimpleCookie(header).values()
    return morsel


async def test_a_key_opens_the_dashboard(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        there = "/dashboard/queues"
        asked = await browser.get(there)
        assert asked.status_code == 303
        assert asked.headers["Location"] == "/dashboard/sign-in?next=%2Fdashboard%2Fqueues"
        page = await browser.get(asked.headers["Location"])
        assert page.status_code == 200
        assert f'value="{there}"' in page.text
        signed_in = await sign_in(browser, key, next=there)
        assert (signed_in.status_code, signed_in.headers["Location"]) == (303, there)
        assert (await browser.get(there)).status_code == 200
        assert "Sign out" in (await browser.get(there)).text
        again = await browser.get("/dashboard/sign-in", params={"next": there})
        assert (again.status_code, again.headers["Location"]) == (303, there)
        out = await browser.post("/dashboard/sign-out", headers=OWN)
        assert (out.status_code, out.headers["Location"]) == (303, "/dashboard/sign-in")
        assert not browser.cookies
        assert (await browser.get(there)).status_code == 303


@pytest.mark.parametrize(
    ("at", "name", "secure"),
    [(LOCAL, "taskq-session", False), (SECURE, "__Host-taskq", True)],
)
async def test_the_cookie(runtime: Runtime, at: str, name: str, secure: bool) -> None:
    key = await make_key(runtime, "tasks:read")
    async with browsing(runtime, at, session_hours=2) as browser:
        morsel = cookie(await sign_in(browser, key))
        assert morsel.key == name
        assert bool(morsel["secure"]) is secure
        assert morsel["httponly"]
        assert morsel["samesite"] == "lax"
        assert morsel["path"] == "/"
        assert morsel["domain"] == ""
        assert morsel["max-age"] == "7200"
        gone = cookie(await browser.post("/dashboard/sign-out", headers=OWN))
        assert (gone.key, gone.value, gone["max-age"], gone["path"]) == (name, "", "0", "/")
        assert bool(gone["secure"]) is secure


@pytest.mark.parametrize(
    ("at", "peer", "headers", "name"),
    [
        ("http://[::1]:8000", "::1", {}, "taskq-session"),
        (LOCAL, "::ffff:127.0.0.1", {}, "taskq-session"),
        (HTTP, PROXY, {"X-Forwarded-Proto": "https"}, "__Host-taskq"),
        (HTTP, PROXY, {"X-Forwarded-Proto": "HTTPS"}, "__Host-taskq"),
        (HTTP, PROXY, {"X-Forwarded-Proto": "http"}, None),
        (HTTP, PROXY, {"X-Forwarded-Proto": "https, http"}, None),
        (HTTP, PROXY, {"X-Forwarded-Proto": "https,https"}, None),
        (HTTP, PROXY, {"X-Forwarded-Proto": ""}, None),
        (HTTP, PROXY, {"X-Forwarded-Proto": "wss"}, None),
        (HTTP, "10.0.0.8", {"X-Forwarded-Proto": "https"}, None),
        (SECURE, PROXY, {"X-Forwarded-Proto": "http"}, None),
        (SECURE, "10.0.0.8", {"X-Forwarded-Proto": "http"}, "__Host-taskq"),
        (HTTP, "127.0.0.1", {}, None),
        (LOCAL, "10.0.0.8", {}, None),
        ("http://localhost.example.com", "127.0.0.1", {}, None),
        (LOCAL, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, None),
        (LOCAL, "127.0.0.1", {"X-Forwarded-Proto": "https"}, None),
        (LOCAL, PROXY, {"X-Forwarded-For": "127.0.0.1"}, "taskq-session"),
        (LOCAL, PROXY, {"X-Forwarded-For": "198.51.100.1"}, None),
    ],
)
async def test_plain_http_from_elsewhere_is_refused(
    runtime: Runtime, at: str, peer: str, headers: dict[str, str], name: str | None
) -> None:
    key = await make_key(runtime, "tasks:read")
    async with browsing(runtime, at, peer=peer, trusted_proxies=TRUSTED) as browser:
        browser.headers.update(headers)
        page = await browser.get("/dashboard/sign-in")
        answer = await sign_in(browser, key)
        if name is None:
            for refused in (page, answer):
                assert refused.status_code == 403
                assert "TASKQ_TRUSTED_PROXIES" in refused.text
                assert '<form method="post" action="/dashboard/sign-in' not in refused.text
                assert "set-cookie" not in refused.headers
        else:
            assert page.status_code == 200
            assert cookie(answer).key == name


async def test_two_words_of_a_proxy_are_none(runtime: Runtime) -> None:
    async with browsing(runtime, HTTP, peer=PROXY, trusted_proxies=TRUSTED) as browser:
        twice = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "https")]
        assert (await browser.get("/dashboard/sign-in", headers=twice)).status_code == 403


async def test_wrong_keys_are_told_and_counted(runtime: Runtime) -> None:
    right = await make_key(runtime, "tasks:read")
    revoked = await make_key(runtime, "tasks:read", revoked_at=runtime.clock())
    few = replace(runtime, auth_failures=AuthFailures(6, runtime.clock.monotonic))
    async with browsing(few) as browser:
        for text in ("", "nonsense", "x" * 10_000, new_token().text, f"tq_{right.id}_{'A' * 43}"):
            form = {"key": text, "next": "/dashboard/queues"}
            answer = await browser.post("/dashboard/sign-in", data=form, headers=OWN)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "This key opens nothing" in answer.text
            assert 'value="/dashboard/queues"' in answer.text
            assert text == "" or text not in answer.text
        assert (await sign_in(browser, revoked)).status_code == 401
        assert not browser.cookies
        answer = await sign_in(browser, new_token())
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert "too many requests with keys that open nothing" in answer.text
        assert (await sign_in(browser, right)).status_code == 303


async def test_in_chinese(runtime: Runtime) -> None:
    async with browsing(runtime) as browser:
        browser.headers["Accept-Language"] = "zh-CN,zh;q=0.9"
        assert "登录" in (await browser.get("/dashboard/sign-in")).text
        assert "此密钥无效" in (await sign_in(browser, new_token())).text


async def test_white_space_around_a_key_is_no_part_of_it(runtime: Runtime) -> None:
    key = await make_key(runtime, "tasks:read")
    async with browsing(runtime) as browser:
        form = {"key": f" {key.text}\r\n"}
        answer = await browser.post("/dashboard/sign-in", data=form, headers=OWN)
        assert answer.status_code == 303


@pytest.mark.parametrize("settings", [{"auth": "off"}, {"auth": "auto"}])
async def test_where_no_key_is_asked_for_nobody_signs_in(
    runtime: Runtime, settings: dict[str, str]
) -> None:
    async with browsing(runtime, hosts=[], **settings) as browser:
        assert (await browser.get("/dashboard/queues")).status_code == 200
        for answer in (
            await browser.get("/dashboard/sign-in"),
            await sign_in(browser, new_token()),
        ):
            assert answer.status_code == 200
            assert "asks for no key" in answer.text
            assert "set-cookie" not in answer.headers
        foreign = {"Host": "rebound.example"}
        for path in ("/dashboard/queues", "/dashboard/sign-in"):
            assert (await browser.get(path, headers=foreign)).status_code == 421


VISIT = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


async def test_links_of_other_sites_lead_here_and_do_nothing_else(runtime: Runtime) -> None:
    async with browsing(runtime, hosts=[], auth="auto") as browser:
        page = "/dashboard/queues"
        assert (await browser.get(page, headers=VISIT)).status_code == 200
        for changed in (
            {"Sec-Fetch-Dest": "iframe"},
            {"Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
            {"Host": "rebound.example"},
        ):
            answer = await browser.get(page, headers={**VISIT, **changed})
            assert answer.status_code == 421, changed
        assert (await browser.get("/tasks", headers=VISIT)).status_code == 421
        pause = f"{page}/mail/pause"
        assert (await browser.post(pause, headers=VISIT)).status_code == 421


async def test_each_sign_in_is_a_session_of_its_own(runtime: Runtime) -> None:
    """A session that somebody has planted is not the one that a key opens, and ends."""
    planter, victim = [await make_key(runtime, *ALL) for _ in range(2)]
    async with browsing(runtime) as browser:
        planted = cookie(await sign_in(browser, planter)).value
        mine = cookie(await sign_in(browser, victim)).value
        assert mine != planted
        other = {"Cookie": f"taskq-session={planted}"}
        browser.cookies.clear()
        assert (await browser.get("/dashboard/queues", headers=other)).status_code == 303
        chosen = {"Cookie": f"taskq-session={'A' * 43}", **OWN}
        form = {"key": victim.text}
        answer = await browser.post("/dashboard/sign-in", data=form, headers=chosen)
        assert cookie(answer).value not in ("A" * 43, mine)


NEXT = {
    "/dashboard": "/dashboard",
    "/dashboard/tasks?status=failed&handler=a.b": "/dashboard/tasks?status=failed&handler=a.b",
    "/dashboard?x=//evil.example": "/dashboard?x=//evil.example",
}


@pytest.mark.parametrize(
    "wanted",
    [
        *NEXT,
        *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/"),
        *("https://evil.example", "https:evil.example", "http:/dashboard", "javascript:alert(1)"),
        *("/dashboard@evil.example", "/dashboard.evil.example", "//evil.example/dashboard"),
        *("/dashboard\r\nSet-Cookie: a=b", "/dashboard/\tx", "/dashboard/%0d%0aLocation:x/../.."),
        *("/dashboard/../tasks", "/dashboard/%2e%2e/tasks", "/dashboard/.%2E/tasks", "/tasks"),
        *(
            "/dashboard/\\..\\..\\x",
            "/dashboard/%5c..%5c..",
            " /dashboard",
            "/dashboard/" + "x" * 5_000,
        ),
        *("%2Fdashboard", "/%64ashboard", "tasks", "", "\0", "/dashboard/ä"),
    ],
)
async def test_only_the_dashboard_s_own_pages_are_next(runtime: Runtime, wanted: str) -> None:
    key = await make_key(runtime, "tasks:read")
    expected = NEXT.get(wanted, "/dashboard")
    async with browsing(runtime) as browser:
        answer = await sign_in(browser, key, next=wanted)
        assert (answer.status_code, answer.headers["Location"]) == (303, expected)
        again = await browser.get("/dashboard/sign-in", params={"next": wanted})
        assert (again.status_code, again.headers["Location"]) == (303, expected)


async def test_under_a_prefix_and_another_path(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL)
    more = {"root_path": "/queue", "dashboard_path": "/ui"}
    async with browsing(runtime, **more) as browser:
        asked = await browser.get("/ui/queues?a=b%20c&d=ü")
        there = asked.headers["Location"]
        assert there.startswith("/queue/ui/sign-in?next=%2Fqueue%2Fui%2Fqueues%3Fa%3D")
        page = await browser.get(there.removeprefix("/queue"))
        assert 'action="/queue/ui/sign-in"' in page.text
        form = {"key": key.text, "next": "/queue/ui/queues"}
        answer = await browser.post("/ui/sign-in", data=form, headers=OWN)
        assert answer.headers["Location"] == "/queue/ui/queues"
        form["next"] = "/ui/queues"
        answer = await browser.post("/ui/sign-in", data=form, headers=OWN)
        assert answer.headers["Location"] == "/queue/ui"
        assert (await browser.get("/ui/queues")).status_code == 200
        assert (await browser.get("/dashboard/queues")).status_code == 404


async def test_a_key_in_the_header_needs_no_sign_in(runtime: Runtime) -> None:
    key = await make_key(runtime, *ALL, namespace="*")
    async with browsing(runtime) as browser:
        page = await browser.get("/dashboard/queues", headers=shown(key))
        assert page.status_code == 200
        assert "Sign out" not in page.text
        wrong = await browser.get("/dashboard/queues", headers=shown(new_token()))
        assert wrong.status_code == 303


@pytest.mark.parametrize("path", ["/dashboard/sign-out", "/dashboard/language"])
async def test_an_address_that_takes_forms_alone_is_no_page_for_strangers(
    runtime: Runtime, path: str
) -> None:
    await make_key(runtime, *ALL)
    async with browsing(runtime) as browser:
        answer = await browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/dashboard/sign-in")
        refused = await browser.put(path, headers=OWN)
        assert refused.status_code == 401
