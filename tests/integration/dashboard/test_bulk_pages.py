"""The pages of bulk operations: their list, how far one is, and its end."""

from dataclasses import replace
from uuid import uuid4

import httpx

from taskq_server.domain.task import Status
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.bulk import begin, done, stored_many
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.dashboard.marked_up import Page

FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}


async def test_there_is_none_at_first(api: httpx.AsyncClient) -> None:
    answer = await api.get("/dashboard/bulk")
    assert "There is no bulk operation yet." in answer.text
    assert Page(answer.text).link("failed tasks") == "/dashboard/tasks?status=failed"
    assert "There is no such operation." in (await api.get("/dashboard/bulk?state=stopped")).text


async def test_operations_are_listed_the_newest_first(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    await stored_many(runtime, 3, Status.FAILED)
    await begin(api, "retry", status="failed", handler=["taskq.echo", "taskq.sleep"])
    last = await begin(api, "delete", status="cancelled", created_before="2030-01-01T00:00:00Z")
    await done(api, runtime, last)
    page = Page((await api.get("/dashboard/bulk")).text)
    assert page.titles() == ["Delete", "Retry"]
    assert page.link("Delete") == f"/dashboard/bulk/{last['id']}"
    rows = [each.text for each in page.all("tr")[1:]]
    assert "0 done of 0" in rows[0]
    assert "cancelled" in rows[0]
    assert "2030-01-01 00:00:00 UTC" in rows[0]
    assert "succeeded" in rows[1]
    assert "3 done of 3" in rows[1]
    assert "taskq.echo or taskq.sleep" in rows[1]
    assert "no key" in rows[1]


async def test_the_list_has_pages_and_states(runtime: Runtime, api: httpx.AsyncClient) -> None:
    for action in ("retry", "cancel", "delete"):
        await begin(api, action, status="failed")
    first = Page((await api.get("/dashboard/bulk?limit=2&state=running")).text)
    assert first.titles() == ["Delete", "Cancel"]
    after = first.link("next")
    assert after is not None
    assert Page((await api.get(after)).text).titles() == ["Retry"]
    assert Page((await api.get("/dashboard/bulk?state=succeeded")).text).titles() == []
    assert (await api.get("/dashboard/bulk?state=odd")).status_code == 422


async def test_an_operation_is_followed_until_it_ends(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    await stored_many(runtime, 3, Status.FAILED)
    await stored_many(runtime, 1, Status.SUCCEEDED)
    operation = await begin(api, "retry", handler="taskq.echo")
    path = f"/dashboard/bulk/{operation['id']}"
    page = Page((await api.get(f"{path}?of=4")).text)
    [live] = [each for each in page.all("div") if "hx-get" in each.attributes]
    assert live.attributes["hx-get"] == f"{path}/progress?of=4"
    assert live.attributes["hx-trigger"] == "every 1s"
    [bar] = page.all("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("0", "4")
    assert page.counts()["Looked at"] == "0 of 4"
    [unknown] = Page((await api.get(path)).text).all("progress")
    assert "value" not in unknown.attributes  # nobody has counted

    await done(api, runtime, operation)
    answer = await api.get(live.attributes["hx-get"])
    fragment = Page(answer.text)
    assert fragment.all("html") == []
    assert "hx-get" not in answer.text  # so the page asks no more
    assert fragment.counts() == {"Looked at": "4", "Done": "3", "Skipped": "1", "No room": "0"}
    whole = Page((await api.get(path)).text)
    assert whole.counts()["Handler"] == "taskq.echo"
    assert whole.link("Show the tasks that match now") == "/dashboard/tasks?handler=taskq.echo"


async def test_an_operation_is_stopped(runtime: Runtime, api: httpx.AsyncClient) -> None:
    await stored_many(runtime, 1, Status.FAILED)
    operation = await begin(
        api, "update", status="failed", changes={"priority": "urgent", "run_at": None}
    )
    path = f"/dashboard/bulk/{operation['id']}?of=1"
    page = Page((await api.get(path)).text)
    assert page.counts()["New priority"] == "urgent"
    stopped = await api.post(page.action("/stop"), headers=FROM_PAGE)
    assert (stopped.status_code, stopped.headers["location"]) == (303, path)
    after = await api.get(path)
    assert "stopped" in after.text
    assert "/stop" not in after.text
    assert (await api.get(f"/bulk/{operation['id']}")).json()["state"] == "stopped"


async def test_who_may_not_stop_is_offered_nothing_and_refused(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    operation = await begin(api, "retry", status="failed")
    path = f"/dashboard/bulk/{operation['id']}"
    key = shown(await make_key(runtime, "tasks:read"))
    async with calling_closed(runtime) as client:
        assert "/stop" not in (await client.get(path, headers=key)).text
        refused = await client.post(f"{path}/stop", headers={**key, **FROM_PAGE})
        assert refused.status_code == 403
    settings = runtime.settings.model_copy(update={"dashboard": "read-only"})
    transport = httpx.ASGITransport(create_app(runtime=replace(runtime, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        assert "/stop" not in (await client.get(path)).text
        assert (await client.post(f"{path}/stop", headers=FROM_PAGE)).status_code == 403
    assert (await api.get(f"/bulk/{operation['id']}")).json()["state"] == "running"


async def test_an_operation_of_nobody_or_of_another_namespace_is_not_found(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    operation = await begin(api, "retry", status="failed")
    key = shown(await make_key(runtime, "tasks:read", "tasks:operate", namespace="team"))
    for path in ("", "/progress"):
        assert (await api.get(f"/dashboard/bulk/{uuid4()}{path}")).status_code == 404
        async with calling_closed(runtime) as client:
            foreign = await client.get(f"/dashboard/bulk/{operation['id']}{path}", headers=key)
            assert foreign.status_code == 404
            assert "there is no bulk operation" in foreign.text


async def test_hostile_filters_are_texts(runtime: Runtime, api: httpx.AsyncClient) -> None:
    hostile = "<script>alert(1)</script>"
    operation = await begin(api, "retry", error_type=hostile, tag=["<b>", "a" * 64], q="\u200b<i>")
    for path in ("/dashboard/bulk", f"/dashboard/bulk/{operation['id']}"):
        text = (await api.get(path)).text
        assert hostile not in text
        assert "<b>" not in text
        assert "&lt;script&gt;" in text
