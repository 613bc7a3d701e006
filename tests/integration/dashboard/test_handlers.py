"""The page of the handlers."""

import json

import httpx

from taskq_server.domain.requests import TaskDefaults
from taskq_server.domain.task import Priority
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.workers import add_worker
from tests.integration.dashboard.published import links, publish, text_of
from tests.integration.dashboard.test_pages import browsing

PATH = "/dashboard/handlers"
SUBMIT = "/dashboard/submit/shop.order"
TITLE = "</pre><script>\u8bf4\u660e"
SCHEMA = json.dumps({"type": "object", "properties": {"a<b>": {"title": TITLE}}})


async def test_none(api: httpx.AsyncClient) -> None:
    page = text_of((await api.get(PATH)).text)
    assert "No worker has published a handler." in page
    assert "taskq-server worker" in page


async def test_all_of_a_handler(api: httpx.AsyncClient, runtime: Runtime) -> None:
    defaults = TaskDefaults("orders", Priority.HIGH, ("shop", "nightly"), "/customer/id")
    await publish(runtime, "shop.order", SCHEMA, "\u202ePack <script>alert(1)</script>", defaults)
    await publish(runtime, "idle", "{}")
    for number in range(2):
        await add_worker(runtime, f"w{number}", handlers=["shop.order"])
    page = await api.get(PATH)
    text = text_of(page.text)
    for said in (
        "\\u202ePack <script>alert(1)</script>",
        "Live workers 2",
        "Live workers none",
        "Queue orders",
        "Priority high",
        "Most retries 3",
        "Limit of one attempt 5 min 0 s",
        "Tags shop, nightly",
        "Unique key from /customer/id",
        f'"a<b>": {{ "title": "{TITLE}" }}',
    ):
        assert said in text, said
    assert "<script>alert" not in page.text
    assert "<script>&#34;" not in page.text
    found = links(page.text)
    assert SUBMIT in found
    assert "/dashboard/tasks?handler=shop.order" in found
    assert "/dashboard/tasks?handler=shop.order&amp;status=failed" in found
    assert "/dashboard/workers" in found


async def test_a_very_long_schema_is_cut(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await publish(runtime, "long", json.dumps({"description": "x" * 100_000}))
    page = await api.get(PATH)
    assert len(page.text) < 90_000
    assert "Cut: all of it is in GET /handlers" in text_of(page.text)
    assert "Cut: all of it" in text_of((await api.get("/dashboard/submit/long")).text)


async def test_halves_of_surrogate_pairs(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await publish(runtime, "half", '{"title": "\\ud800"}', "x")
    assert (await api.get(PATH)).status_code == 200
    assert (await api.get("/dashboard/submit/half")).status_code == 200


async def test_who_may_not_submit_finds_no_link(runtime: Runtime) -> None:
    await publish(runtime, "shop.order", SCHEMA)
    async with browsing(runtime, dashboard="read-only") as client:
        assert SUBMIT not in links((await client.get(PATH)).text)
    reads = shown(await make_key(runtime, "tasks:read"))
    runs = shown(await make_key(runtime, "tasks:run:shop.*"))
    await publish(runtime, "mail.send", "{}")
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        page = (await client.get(PATH, headers=reads)).text
        assert ("mail.send" in page, SUBMIT in links(page)) == (True, False)
        page = (await client.get(PATH, headers=runs)).text
        assert ("mail.send" in page, SUBMIT in links(page)) == (False, True)
        assert "/dashboard/tasks?handler=shop.order" not in links(page)
