"""The pages of schedules."""

from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import actions_of, browsing, text_of

NIGHTLY = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "overlap": "queue",
    "catch_up": "none",
    "handler": "taskq.echo",
    "payload": '{"value": "<script>alert(1)</script>"}',
    "task": '{"queue": "reports", "tags": ["monthly"]}',
    "note": "asked for by <b>finance</b>",
}


@pytest.fixture(autouse=True)
def published(worker: ScriptedWorker) -> None:
    """The built-in handlers are known."""


async def made(client: httpx.AsyncClient, **changes: str) -> dict[str, Any]:
    answer = await client.post("/dashboard/new-schedule", data={**NIGHTLY, **changes})
    assert answer.status_code == 303, answer.text
    name = changes.get("name", "nightly")
    assert answer.headers["location"] == f"/dashboard/schedules/{name}"
    found: dict[str, Any] = (await client.get(f"/schedules/{name}")).json()
    return found


async def test_a_schedule_is_made_by_its_form_and_shown(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        schedule = await made(client)
        assert schedule["task"]["payload"] == {"value": "<script>alert(1)</script>"}
        assert (schedule["task"]["queue"], schedule["task"]["tags"]) == ("reports", ["monthly"])
        assert (schedule["overlap"], schedule["catch_up"]) == ("queue", "none")
        page = await client.get("/dashboard/schedules/nightly")
        assert page.text.count('data-time="time"') >= 10, "its next ten times"
        assert "<script>alert" not in page.text
        assert "<b>finance" not in page.text
        read = text_of(page)
        assert "At 02:30 every day" in read
        assert "asked for by <b>finance</b>" in read
        listed = await client.get("/dashboard/schedules")
        assert "/dashboard/schedules/nightly" in listed.text


async def test_it_is_changed_paused_resumed_fired_and_deleted(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        schedule = await made(client)
        at = "/dashboard/schedules/nightly"
        body = {**NIGHTLY, "version": str(schedule["version"]), "cron": "", "every_seconds": "90"}
        del body["name"]
        assert (await client.post(f"{at}/edit", data=body)).status_code == 303
        changed = (await client.get("/schedules/nightly")).json()
        assert (changed["cron"], changed["every_seconds"]) == (None, 90.0)
        stale = await client.post(f"{at}/edit", data={**body, "every_seconds": "91"})
        assert stale.status_code == 412
        assert 'value="91"' in stale.text, "what was typed is kept"
        await client.post(f"{at}/pause", data={"note": "holiday"})
        paused = await client.get(at)
        assert "holiday" in text_of(paused)
        assert f"{at}/resume" in actions_of(paused)
        assert f"{at}/pause" not in actions_of(paused)
        await client.post(f"{at}/resume")
        assert (await client.get("/schedules/nightly")).json()["paused"] is False
        fired = await client.post(f"{at}/fire")
        task = fired.headers["location"].removeprefix("/dashboard")
        assert (await client.get(task)).json()["queue"] == "reports"
        assert (await client.post(f"{at}/delete")).status_code == 303
        assert (await client.get("/schedules/nightly")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "99 2 * * *"}, "minute"),
        ({"cron": ""}, "either cron or every_seconds is needed"),
        ({"timezone": "Europe/Atlantis"}, "time zone"),
        ({"payload": "{"}, "payload: "),
        ({"payload": "[1]"}, "must be a JSON object"),
        ({"task": '{"colour": 1}'}, "/task/colour"),
        ({"handler": "no.such"}, "no.such"),
        ({"name": ""}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "preview"}, "it means something else in a path"),
        ({"every_seconds": "soon", "cron": ""}, "/every_seconds"),
        ({"starts_at": "tomorrow"}, "/starts_at"),
    ],
)
async def test_a_form_that_is_refused_says_why_and_keeps_what_was_typed(
    runtime: Runtime, changes: dict[str, str], said: str
) -> None:
    async with browsing(runtime) as client:
        body = {**NIGHTLY, "note": "typed before", **changes}
        answer = await client.post("/dashboard/new-schedule", data=body)
        assert answer.status_code == 422
        assert said in text_of(answer)
        assert "typed before" in answer.text
        assert (await client.get("/schedules")).json()["items"] == []


async def test_a_name_that_is_taken_replaces_nothing(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        before = await made(client)
        again = {**NIGHTLY, "cron": "0 5 * * *"}
        answer = await client.post("/dashboard/new-schedule", data=again)
        assert answer.status_code == 422
        assert "there is a schedule nightly already" in text_of(answer)
        assert (await client.get("/schedules/nightly")).json() == before


async def test_the_form_shows_its_times_while_one_writes(runtime: Runtime) -> None:
    empty = {"every_seconds": "", "starts_at": "", "ends_at": ""}
    async with browsing(runtime) as client:
        query = {"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai", **empty}
        shown = await client.get("/dashboard/new-schedule/times", params=query)
        assert shown.text.count("<time") == 10
        assert "T01:00:00" in shown.text, "nine o'clock there"
        query["cron"] = "0 9 * *"
        refused = await client.get("/dashboard/new-schedule/times", params=query)
        assert refused.status_code == 200
        assert "cron" in text_of(refused)


async def test_pages_of_the_list_keep_its_filters(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        for name in ("a", "b", "c"):
            await made(client, name=name)
        await client.post("/dashboard/schedules/b/pause")
        page = await client.get("/dashboard/schedules?paused=false&limit=1")
        assert "/dashboard/schedules/a" in page.text
        (link,) = [each for each in page.text.split('"') if "cursor=" in each]
        after = await client.get(link.replace("&amp;", "&"))
        assert "/dashboard/schedules/c" in after.text
        assert "/dashboard/schedules/b" not in after.text


async def test_without_the_scopes_nothing_is_offered_and_all_is_refused(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        await made(client)
    at = "/dashboard/schedules/nightly"
    posts = (f"{at}/fire", f"{at}/pause", f"{at}/resume", f"{at}/delete", f"{at}/edit")
    for given in ({"scopes": ("tasks:read",)}, {"dashboard": "read-only"}):
        async with browsing(runtime, **given) as reader:  # type: ignore[arg-type]
            for path in (at, "/dashboard/schedules"):
                page = await reader.get(path)
                assert page.status_code == 200
                assert actions_of(page) == []
                assert "/new-schedule" not in page.text
            for path in (*posts, "/dashboard/new-schedule"):
                assert (await reader.post(path, data=NIGHTLY)).status_code == 403, path
    async with browsing(runtime, scopes=("tasks:read", "tasks:operate")) as operator:
        page = await operator.get(at)
        assert f"{at}/pause" in actions_of(page)
        assert f"{at}/fire" not in actions_of(page), "it may not run the handler"
        assert f"{at}/edit" not in actions_of(page)
        assert (await operator.post(f"{at}/fire")).status_code == 403
        assert (await operator.post(f"{at}/edit", data=NIGHTLY)).status_code == 403


async def test_an_empty_list_says_what_to_do(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        assert "make one here" in text_of(await client.get("/dashboard/schedules"))
        other = await client.get("/dashboard/schedules?handler=no.such")
        assert "No schedule matches." in text_of(other)
