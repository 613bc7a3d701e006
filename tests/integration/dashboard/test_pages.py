"""What all pages have in common: where they are, who may do what, and how errors look."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.errors import ConfigurationError
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.dashboard.browsing import FROM_PAGE, browsing


async def test_a_page_may_load_nothing_but_its_own_files(api: httpx.AsyncClient) -> None:
    answer = await api.get("/dashboard/queues")
    assert answer.status_code == 200
    policy = answer.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert "default-src 'none'" in policy[0]
    assert "frame-ancestors 'none'" in policy[0]
    assert "unsafe" not in policy[0]
    assert answer.headers["cache-control"] == "no-store"
    assert "style=" not in answer.text
    assert "<script>" not in answer.text


async def test_pages_lie_under_the_path_of_the_settings(runtime: Runtime) -> None:
    async with browsing(runtime, dashboard_path="/ops/taskq") as client:
        page = await client.get("/ops/taskq/queues")
        assert page.status_code == 200
        assert 'href="/ops/taskq/tasks"' in page.text
        assert "/dashboard" not in page.text
        for path in ("/dashboard", "/dashboard/queues", "/ops/taskqueues", "/ops"):
            assert (await client.get(path)).status_code == 404, path


@pytest.mark.parametrize("path", ["/queue/dashboard/queues", "/dashboard/queues"])
async def test_pages_know_the_prefix_of_a_proxy(runtime: Runtime, path: str) -> None:
    async with browsing(runtime, root_path="/queue") as client:
        page = await client.get(path)
        assert page.status_code == 200
        assert 'href="/queue/dashboard/tasks"' in page.text


async def test_a_path_of_several_names_below_a_prefix(runtime: Runtime) -> None:
    async with browsing(runtime, root_path="/queue", dashboard_path="/ops/board") as client:
        for path in ("/queue/ops/board/queues", "/ops/board/queues"):
            page = await client.get(path)
            assert page.status_code == 200, path
            assert 'href="/queue/ops/board/tasks"' in page.text


async def test_there_is_none_where_it_is_off(runtime: Runtime) -> None:
    async with browsing(runtime, dashboard="off") as client:
        for path in ("/dashboard", "/dashboard/queues", "/dashboard/assets/0/taskq.css"):
            answer = await client.get(path)
            assert answer.status_code == 404, path
            assert answer.json()["code"] == "not-found"
        assert (await client.get("/queues")).status_code == 200


async def test_one_that_is_read_only_shows_and_changes_nothing(runtime: Runtime) -> None:
    async with browsing(runtime, dashboard="read-only") as client:
        await client.post("/queues/mail/pause", json={"note": "moved"})
        page = await client.get("/dashboard/queues")
        assert "moved" in page.text
        assert "/resume" not in page.text
        assert "/pause" not in page.text
        refused = await client.post("/dashboard/queues/mail/resume", headers=FROM_PAGE)
        assert refused.status_code == 403
        assert "TASKQ_DASHBOARD is read-only" in refused.text
        assert (await client.get("/dashboard/new-schedule")).status_code == 403
        assert (await client.get("/queues")).json()["items"][0]["paused"] is True


@pytest.mark.parametrize("value", ["/", "", "dashboard", "/a/../b", "/a b", "/tasks", "/docs/x"])
def test_a_path_that_cannot_be_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(ConfigurationError, match="TASKQ_DASHBOARD_PATH"):
        create_app(Settings.load(dashboard_path=value))


async def test_the_language_is_the_browsers_until_one_is_chosen(api: httpx.AsyncClient) -> None:
    wish = {"Accept-Language": "zh-CN"}
    assert "<h1>队列</h1>" in (await api.get("/dashboard/queues", headers=wish)).text
    body = {"language": "en", "next": "/dashboard/queues?"}
    chosen = await api.post("/dashboard/language", data=body, headers=FROM_PAGE)
    assert chosen.status_code == 303
    assert chosen.headers["location"] == "/dashboard/queues?"
    assert "<h1>Queues</h1>" in (await api.get("/dashboard/queues", headers=wish)).text


async def test_a_key_that_is_shown_once_is_not_lost_by_a_choice_of_language(
    api: httpx.AsyncClient,
) -> None:
    sent = {"name": "ci", "scopes": "tasks:read"}
    made = await api.post("/dashboard/keys", data=sent, headers=FROM_PAGE)
    assert "tq_" in made.text
    assert "/dashboard/language" not in made.text
    assert "/dashboard/language" in (await api.get("/dashboard/keys")).text


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example", "/\\evil.example", "https://evil.example", "/dashboardevil",
        "/dashboard/../tasks", "/dashboard//evil.example", "/dashboard\r\nSet-Cookie: a=b", "",
        "/tasks", "/dashboard/" + "a" * 5_000,
    ],
)  # fmt: skip
async def test_a_form_leads_nowhere_else(api: httpx.AsyncClient, there: str) -> None:
    body = {"language": "en", "next": there}
    answer = await api.post("/dashboard/language", data=body, headers=FROM_PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"language": "xx"}, 422, "there are en and zh"),
        ({}, 422, "there are en and zh"),
        ({"language": ["en", "zh"]}, 422, "give it once"),
    ],
)
async def test_a_refused_form_says_why(
    api: httpx.AsyncClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await api.post("/dashboard/language", data=body, headers=FROM_PAGE)
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a=%ff", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 2_001, "application/x-www-form-urlencoded", 422),
        (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    api: httpx.AsyncClient, content: bytes, media_type: str, status: int
) -> None:
    headers = {**FROM_PAGE, "Content-Type": media_type}
    answer = await api.post("/dashboard/language", content=content, headers=headers)
    assert answer.status_code == status
    assert "<h1>" in answer.text


async def test_errors_are_pages_with_the_sentences_of_the_api(api: httpx.AsyncClient) -> None:
    page = await api.get("/dashboard/queues?colour=red")
    problem = (await api.get("/queues?colour=red")).json()
    assert page.status_code == problem["status"] == 422
    assert problem["code"] in page.text
    assert page.headers["x-request-id"] in page.text
    assert 'role="alert"' in page.text


async def test_a_bug_is_a_page_that_says_nothing_of_itself(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(runtime, queues=None)
    app = create_app(runtime=broken)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://taskq"
    ) as client:
        page = await client.get("/dashboard/queues")
    assert page.status_code == 500
    assert "<h1>Internal server error</h1>" in page.text
    assert page.headers["x-request-id"] in page.text
    assert "NoneType" not in page.text
    assert "NoneType" in caplog.text
