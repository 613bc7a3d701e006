"""Actions on a selection, and on all that match: count, confirm, act, and say what was refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from taskq_server.domain.task import Status
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.bulk import stored_many
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.dashboard.marked_up import Page

FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}
ACTIONS = ["Retry", "Cancel", "Delete", "Set priority"]

pytestmark = pytest.mark.usefixtures("worker")


async def stored(runtime: Runtime, *statuses: Status) -> list[UUID]:
    return [(await stored_many(runtime, 1, each, title=f"a {each}"))[0] for each in statuses]


async def statuses(api: httpx.AsyncClient, *ids: UUID) -> list[str]:
    answers = [await api.get(f"/tasks/{each}") for each in ids]
    return ["gone" if each.is_error else each.json()["status"] for each in answers]


async def post(api: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    return await api.post(path, data=fields, headers=FROM_PAGE)


async def selected(
    api: httpx.AsyncClient, action: str, *ids: UUID, query: str = "", **fields: Any
) -> httpx.Response:
    path = f"/dashboard/tasks/selected/{action}{query}"
    return await post(api, path, id=[str(each) for each in ids], **fields)


@asynccontextmanager
async def read_only(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    changed = replace(
        runtime, settings=runtime.settings.model_copy(update={"dashboard": "read-only"})
    )
    transport = httpx.ASGITransport(create_app(runtime=changed))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


async def test_selected_tasks_are_shown_and_then_retried(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    ids = await stored(runtime, Status.FAILED, Status.CANCELLED, Status.FAILED)
    page = Page((await api.get("/dashboard/tasks?status=failed&status=cancelled")).text)
    assert page.sent("id") == [str(each) for each in reversed(ids)]
    asked = await post(api, page.buttons()["Retry"], id=page.sent("id")[1:])
    assert "<strong>2</strong> tasks are selected." in asked.text
    assert await statuses(api, *ids) == [
        "failed",
        "cancelled",
        "failed",
    ]  # nothing has happened yet
    confirmation = Page(asked.text)
    done = await post(
        api, confirmation.action("/selected/retry"),
        id=confirmation.sent("id"), confirmed=confirmation.sent("confirmed")[0],
    )  # fmt: skip
    assert done.status_code == 303
    assert done.headers["location"] == "/dashboard/tasks?status=failed&status=cancelled"
    assert await statuses(api, *ids) == ["queued", "queued", "failed"]
    assert "Queued again: 2." in (await api.get(done.headers["location"])).text


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("retry", Status.FAILED, "queued"),
        ("cancel", Status.QUEUED, "cancelled"),
        ("delete", Status.SUCCEEDED, "gone"),
    ],
)
async def test_each_action_does_what_it_says(
    runtime: Runtime, api: httpx.AsyncClient, action: str, before: Status, after: str
) -> None:
    ids = await stored(runtime, before, before)
    assert (await selected(api, action, ids[0], confirmed="yes")).status_code == 303
    assert await statuses(api, *ids) == [after, before.value]


async def test_a_priority_is_chosen_with_the_confirmation(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    [task] = await stored(runtime, Status.QUEUED)
    asked = Page((await selected(api, "update", task)).text)
    assert [each.attributes["name"] for each in asked.all("select")] == ["priority"]
    assert (
        await selected(api, "update", task, confirmed="yes", priority="urgent")
    ).status_code == 303
    assert (await api.get(f"/tasks/{task}")).json()["priority"] == "urgent"
    for odd in ("", "highest"):
        assert (
            await selected(api, "update", task, confirmed="yes", priority=odd)
        ).status_code == 422
    assert (await api.get(f"/tasks/{task}")).json()["priority"] == "urgent"


async def test_what_is_refused_is_told_with_its_sentence(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    ids = await stored(runtime, Status.FAILED, Status.SUCCEEDED, Status.QUEUED)
    asked = await selected(api, "retry", *ids)
    assert "2 of them are in a status that does not allow it" in asked.text
    answer = await selected(api, "retry", *ids, uuid4(), query="?q=a", confirmed="yes")
    assert answer.status_code == 200
    assert "Queued again: 1." in answer.text
    for sentence in (
        "a succeeded task cannot become queued",
        "a queued task cannot be retried",
        "there is no task",
    ):
        assert sentence in answer.text
    page = Page(answer.text)
    assert page.link(str(ids[1])) == f"/dashboard/tasks/{ids[1]}"
    assert page.link(str(ids[0])) is None
    assert page.link("Back to the list") == "/dashboard/tasks?q=a"
    assert await statuses(api, *ids) == ["queued", "succeeded", "queued"]


async def test_nothing_selected_leads_back(api: httpx.AsyncClient) -> None:
    answer = await selected(api, "delete", query="?status=failed")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/dashboard/tasks?status=failed",
    )
    assert "No task is selected." in (await api.get("/dashboard/tasks")).text


@pytest.mark.parametrize("ids", [["nonsense"], [str(uuid4()) for _ in range(201)]])
async def test_a_selection_that_no_page_makes_is_refused(
    api: httpx.AsyncClient, ids: list[str]
) -> None:
    for more in ({}, {"confirmed": "yes"}):
        answer = await post(api, "/dashboard/tasks/selected/delete", id=ids, **more)
        assert answer.status_code == 422
    assert (await post(api, "/dashboard/tasks/selected/explode", id=ids)).status_code == 422


async def test_a_whole_page_of_200_is_done_at_once(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    ids = await stored_many(runtime, 200, Status.FAILED)
    assert (await selected(api, "retry", *ids, confirmed="yes")).status_code == 303
    assert set(await statuses(api, *ids[::40])) == {"queued"}
    assert "Queued again: 200." in (await api.get("/dashboard/tasks")).text


async def test_all_that_match_are_counted_before_anything_happens(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    failed = await stored_many(runtime, 3, Status.FAILED, handler="shop.import")
    others = await stored(runtime, Status.FAILED, Status.SUCCEEDED)
    page = Page(
        (await api.get("/dashboard/tasks?status=failed&handler=shop.import&limit=100")).text
    )
    there = page.link("Retry all")
    assert there == "/dashboard/tasks/all/retry?status=failed&handler=shop.import"
    asked = await api.get(there)
    assert "<strong>3</strong> tasks match now." in asked.text
    assert Page(asked.text).counts() == {"Status": "failed", "Handler": "shop.import"}
    assert set(await statuses(api, *failed)) == {"failed"}
    confirmation = Page(asked.text)
    fields = {name: confirmation.sent(name)[0] for name in ("key", "expected")}
    begun = await post(api, confirmation.action("/all/retry"), **fields)
    assert begun.status_code == 303
    where = begun.headers["location"]
    assert where.startswith("/dashboard/bulk/")
    assert where.endswith("?of=3")
    await runtime.bulk_work.sweep()
    assert set(await statuses(api, *failed)) == {"queued"}
    assert await statuses(api, *others) == ["failed", "succeeded"]


async def test_a_confirmation_that_is_sent_twice_begins_one_operation(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    await stored_many(runtime, 2, Status.FAILED)
    confirmation = Page((await api.get("/dashboard/tasks/all/retry?status=failed")).text)
    fields = {name: confirmation.sent(name)[0] for name in ("key", "expected")}
    answers = [await post(api, confirmation.action("/all/retry"), **fields) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len((await api.get("/bulk")).json()["items"]) == 1


async def test_all_that_match_get_a_priority(runtime: Runtime, api: httpx.AsyncClient) -> None:
    ids = await stored_many(runtime, 2, Status.QUEUED)
    confirmation = Page((await api.get("/dashboard/tasks/all/update?status=queued")).text)
    fields = {name: confirmation.sent(name)[0] for name in ("key", "expected")}
    there = confirmation.action("/all/update")
    assert (await post(api, there, **fields)).status_code == 422
    assert (await post(api, there, **fields, priority="high")).status_code == 303
    await runtime.bulk_work.sweep()
    assert (await api.get(f"/tasks/{ids[0]}")).json()["priority"] == "high"


async def test_the_count_says_what_will_stay_as_it_is(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    await stored(runtime, Status.FAILED, Status.SUCCEEDED, Status.QUEUED)
    asked = (await api.get("/dashboard/tasks/all/retry?q=a")).text
    assert "2 of them are in a status that does not allow it" in asked
    assert "Retry: 1" in asked
    none = (await api.get("/dashboard/tasks/all/retry?status=succeeded")).text
    assert Page(none).all("button", name="key") == []
    assert "Retry: " not in none


async def test_without_a_filter_nothing_is_offered_for_all(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    await stored(runtime, Status.FAILED)
    page = Page((await api.get("/dashboard/tasks")).text)
    assert list(page.buttons()) == ACTIONS
    assert page.link("Retry all") is None
    for query in ("", "?order=created_at", "?status=odd"):
        assert (await api.get(f"/dashboard/tasks/all/delete{query}")).status_code == 422
        body = {"key": str(uuid4())}
        refused = await post(api, f"/dashboard/tasks/all/delete{query}", **body)
        assert refused.status_code == 422, query
    assert (await api.get("/bulk")).json()["items"] == []


@pytest.mark.parametrize(
    ("scopes", "each", "all_"),
    [
        (["tasks:read"], [], []),
        (["tasks:read", "tasks:write"], ["Cancel", "Delete"], []),
        (["tasks:read", "tasks:operate"], [], []),
        (["tasks:read", "tasks:operate", "tasks:run:*"], [], ["Retry", "Set priority"]),
        (
            ["tasks:read", "tasks:write", "tasks:operate"],
            ["Cancel", "Delete"],
            ["Cancel", "Delete"],
        ),
        (["tasks:read", "tasks:write", "tasks:run:*"], ACTIONS, []),
    ],
)
async def test_buttons_are_there_for_those_who_may(
    runtime: Runtime, scopes: list[str], each: list[str], all_: list[str]
) -> None:
    [task] = await stored(runtime, Status.FAILED)
    key = shown(await make_key(runtime, *scopes))
    names = dict(zip(ACTIONS, ("retry", "cancel", "delete", "update"), strict=True))
    async with calling_closed(runtime) as client:
        page = Page((await client.get("/dashboard/tasks?status=failed", headers=key)).text)
        assert list(page.buttons()) == each
        offered = [text for text in ACTIONS if page.link(f"{text} all") is not None]
        assert offered == all_
        assert bool(page.sent("id")) == bool(each)
        for text, action in names.items():
            path = f"/dashboard/tasks/all/{action}?status=failed"
            body = {"key": str(uuid4()), "priority": "low"}
            sent = await client.post(path, data=body, headers={**key, **FROM_PAGE})
            assert sent.status_code == (303 if text in all_ else 403), text
            assert (await client.get(path, headers=key)).status_code == (
                200 if text in all_ else 403
            )
            if text not in each:
                path = f"/dashboard/tasks/selected/{action}"
                body = {"id": str(task), "confirmed": "yes", "priority": "low"}
                sent = await client.post(path, data=body, headers={**key, **FROM_PAGE})
                assert sent.status_code == 403 or "missing" in sent.text or "scope" in sent.text, (
                    text
                )
        assert (await runtime.read.shown(runtime.caller, task)).task.status is Status.FAILED


async def test_a_dashboard_that_is_read_only_offers_and_does_nothing(runtime: Runtime) -> None:
    [task] = await stored(runtime, Status.FAILED)
    async with read_only(runtime) as client:
        page = Page((await client.get("/dashboard/tasks?status=failed")).text)
        assert page.titles() == ["a failed"]
        assert page.buttons() == {}
        assert page.sent("id") == []
        assert page.link("Delete all") is None
        body = {"id": str(task), "confirmed": "yes", "key": str(uuid4())}
        for path in ("selected/delete", "all/delete?status=failed"):
            refused = await post(client, f"/dashboard/tasks/{path}", **body)
            assert refused.status_code == 403
            assert "TASKQ_DASHBOARD is read-only" in refused.text
        counted = await client.get("/dashboard/tasks/all/delete?status=failed")
        assert Page(counted.text).sent("key") == []
        assert await statuses(client, task) == ["failed"]


async def test_forms_of_other_sites_change_nothing(
    runtime: Runtime, api: httpx.AsyncClient
) -> None:
    [task] = await stored(runtime, Status.FAILED)
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("selected/delete", "all/delete?status=failed"):
            body = {"id": str(task), "confirmed": "yes", "key": str(uuid4())}
            answer = await api.post(f"/dashboard/tasks/{path}", data=body, headers=headers)
            assert answer.status_code in (403, 421)
    assert await statuses(api, task) == ["failed"]


async def test_a_session_of_one_namespace_acts_on_no_other(runtime: Runtime) -> None:
    """Ids of another namespace are refused as if there were none."""
    [task] = await stored(runtime, Status.FAILED)
    key = shown(
        await make_key(runtime, "tasks:read", "tasks:write", "tasks:run:*", namespace="team")
    )
    async with calling_closed(runtime) as client:
        body = {"id": str(task), "confirmed": "yes"}
        for action in ("retry", "delete", "cancel"):
            path = f"/dashboard/tasks/selected/{action}"
            answer = await client.post(path, data=body, headers={**key, **FROM_PAGE})
            assert "there is no task" in answer.text
    assert (await runtime.read.shown(runtime.caller, task)).task.status is Status.FAILED
