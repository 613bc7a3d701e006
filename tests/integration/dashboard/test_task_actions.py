"""What one may do with a task on its page: by scope, by status, and what is said of it."""

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import SECRET, task_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import FROM_PAGE, actions_of, browsing, text_of
from tests.integration.dashboard.tasks import at, failed, submitted

ALL = ("tasks:read", "tasks:write", "tasks:run:*")


async def after(client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """Return the page to which a form leads, with its notice."""
    assert answer.status_code == 303, answer.text
    return await client.get(answer.headers["location"])


def offered(page: httpx.Response, task_id: str) -> set[str]:
    """Return what the page of a task offers: the last parts of the addresses."""
    ways = {each for each in ("edit", "from") if f'{at(task_id)}/{each}"' in page.text}
    if f"?from={task_id}" in page.text:
        ways.add("submit")
    return ways | {each.rpartition("/")[2] for each in actions_of(page)}


async def test_a_waiting_task_is_cancelled_retried_and_deleted(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        page = await after(client, await client.post(at(task_id, "/cancel")))
        assert "The task is cancelled." in text_of(page)
        assert (await client.get(f"/tasks/{task_id}")).json()["status"] == "cancelled"
        page = await after(client, await client.post(at(task_id, "/retry")))
        assert "The task is queued again." in text_of(page)
        assert (await client.get(f"/tasks/{task_id}")).json()["status"] == "queued"
        page = await client.get(at(task_id))
        assert "data-confirm=" in page.text
        answer = await client.post(at(task_id, "/delete"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/tasks")
        assert "taskq-notice" in answer.headers["set-cookie"]
        assert (await client.get(f"/tasks/{task_id}")).status_code == 404


async def test_the_cancel_of_a_running_task_says_that_it_is_asked_for(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        await worker.claim(task_id)
        page = await after(client, await client.post(at(task_id, "/cancel")))
        assert "its worker was asked to cancel it" in text_of(page)
        assert "A cancel was asked for" in text_of(page)
        assert "cancel" not in offered(page, task_id)
        assert (await client.get(f"/tasks/{task_id}")).json()["status"] == "running"


async def test_what_is_offered_follows_the_status(runtime: Runtime, worker: ScriptedWorker) -> None:
    always = {"edit", "submit"}
    async with browsing(runtime) as client:
        queued = await submitted(client)
        running = await submitted(client)
        await worker.claim(running)
        succeeded = await submitted(client)
        await worker.succeed(await worker.claim(succeeded), 1)
        retrying = await submitted(client)
        await worker.fail(await worker.claim(retrying))
        for task_id, expected in (
            (queued, {"cancel", "delete"}),
            (running, {"cancel"}),
            (retrying, {"cancel", "delete"}),
            (succeeded, {"delete"}),
            (await failed(client, worker), {"retry", "delete"}),
        ):
            page = await client.get(at(task_id))
            assert offered(page, task_id) == expected | always, text_of(page)
            part = await client.get(at(task_id, "/parts"))
            assert offered(part, task_id) == expected | always


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("tasks:read",), set()),
        (("tasks:read", "tasks:write"), {"edit", "delete"}),
        (("tasks:read", "tasks:write", "tasks:run:other.*"), {"edit", "delete"}),
        (("tasks:read", "tasks:run:taskq.*"), {"submit"}),
        (ALL, {"edit", "delete", "submit", "retry"}),
    ],
)
async def test_what_is_offered_follows_the_key_and_routes_refuse_the_rest(
    runtime: Runtime, worker: ScriptedWorker, scopes: tuple[str, ...], expected: set[str]
) -> None:
    async with browsing(runtime) as anybody:
        task_id = await failed(anybody, worker)
    async with browsing(runtime, scopes=scopes) as client:
        assert offered(await client.get(at(task_id)), task_id) == expected
        for action in {"edit", "delete", "retry"} - expected:
            refused = await client.post(at(task_id, f"/{action}"))
            assert refused.status_code == 403, action
            assert "this needs a key with the scope" in text_of(refused)
        assert (await client.get(f"/tasks/{task_id}")).json()["status"] == "failed"


async def test_a_dashboard_that_is_read_only_offers_and_does_nothing(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime, dashboard="read-only") as client:
        task_id = await failed(client, worker)
        assert offered(await client.get(at(task_id)), task_id) == set()
        before = (await client.get(f"/tasks/{task_id}")).json()
        for action in ("cancel", "retry", "delete", "edit"):
            assert (await client.post(at(task_id, f"/{action}"))).status_code == 403, action
        assert (await client.get(at(task_id, "/edit"))).status_code == 403
        assert (await client.get(f"/tasks/{task_id}")).json() == before


@pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
async def test_what_the_status_forbids_is_said_beside_the_task(
    runtime: Runtime, worker: ScriptedWorker, action: str
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client, title="Night report")
        claimed = await worker.claim(task_id)
        if action == "cancel":
            await worker.succeed(claimed, 1)
        page = await client.post(at(task_id, f"/{action}"))
        said = await client.request(
            "DELETE" if action == "delete" else "POST",
            f"/tasks/{task_id}" + ("" if action == "delete" else f"/{action}"),
        )
        assert page.status_code == said.status_code == 409
        assert said.json()["detail"] in text_of(page)
        assert "Night report" in text_of(page)


async def test_a_taken_unique_key_leads_to_the_task_that_holds_it(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await failed(client, worker, unique_key="mine")
        holder = await submitted(client, unique_key="mine")
        page = await client.post(at(task_id, "/retry"))
        assert page.status_code == 409
        assert f'href="{at(holder)}"' in page.text


@pytest.mark.parametrize("action", ["cancel", "retry", "delete", "edit"])
async def test_a_form_of_another_site_does_nothing(
    runtime: Runtime, worker: ScriptedWorker, action: str
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        answer = await client.post(at(task_id, f"/{action}"), headers=headers)
        assert answer.status_code in (403, 421)
        assert (await client.get(at(task_id, "/cancel"))).status_code in (404, 405)
        assert (await client.get(f"/tasks/{task_id}")).json()["version"] == 1


async def test_of_a_foreign_task_an_outline_is_shown_that_says_what_is_hidden(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    own = await make_key(runtime, "tasks:run:*")
    other = await make_key(runtime, "tasks:run:*", "tasks:write")
    task_id = await task_of(runtime, own)
    await worker.fail(await worker.claim(task_id), fatal=True, message=SECRET)
    async with calling_closed(runtime) as client:
        headers = {**shown(other), **FROM_PAGE}
        page = await client.post(at(task_id, "/retry"), headers=headers)
        assert page.status_code == 200
        assert "The task is queued again." in text_of(page)
        assert "Hidden: a key without tasks:read" in text_of(page)
        assert SECRET not in page.text
        assert "{}" not in text_of(page)
        assert "/events" not in page.text
        refused = await client.post(at(task_id, "/retry"), headers=headers)
        assert refused.status_code == 409
        assert SECRET not in refused.text
        assert (await client.post(at(task_id, "/edit"), headers=headers)).status_code == 404
