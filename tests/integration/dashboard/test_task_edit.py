"""The form that changes a task."""

import html
import re

import httpx

from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import browsing, text_of
from tests.integration.dashboard.tasks import at, failed, submitted, tags_of


def fields_of(page: httpx.Response) -> dict[str, str]:
    """Return what a browser would send if nothing was typed."""
    fields = {
        str(attributes["name"]): attributes.get("value") or ""
        for tag, attributes in tags_of(page)
        if tag == "input" and attributes.get("name") not in (None, "next")
    }
    for name, text in re.findall(r'(?s)<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', page.text):
        fields[name] = html.unescape(text)
    for option in re.findall(r'<option value="(\w+)" selected', page.text):
        fields["priority"] = option
    return fields


async def form(client: httpx.AsyncClient, task_id: str) -> dict[str, str]:
    page = await client.get(at(task_id, "/edit"))
    assert page.status_code == 200, page.text
    return fields_of(page)


async def test_what_is_typed_is_changed_and_nothing_else(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        run_at = "2090-01-02T03:04:05.678901Z"
        task_id = await submitted(client, title="Old", tags=["a"], run_at=run_at, max_retries=3)
        fields = await form(client, task_id)
        assert fields["run_at"] == "2090-01-02T03:04:05.678"
        typed = {
            "title": 'New & "better"',
            "description": "\nfirst\r\nsecond",
            "tags": "b c\n\n a \n",
            "priority": "urgent",
            "timeout_seconds": "12.5",
        }
        answer = await client.post(at(task_id, "/edit"), data={**fields, **typed})
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == at(task_id)
        task = (await client.get(f"/tasks/{task_id}")).json()
        assert task["title"] == 'New & "better"'
        assert task["description"] == "\nfirst\nsecond"
        assert task["tags"] == ["a", "b c"]
        assert (task["priority"], task["timeout_seconds"]) == ("urgent", 12.5)
        assert (task["run_at"], task["max_retries"]) == (run_at, 3)
        again = await client.post(at(task_id, "/edit"), data=await form(client, task_id))
        assert again.status_code == 303
        assert (await client.get(f"/tasks/{task_id}")).json() == task


async def test_empty_fields_reset(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(
            client, title="Old", description="x", tags=["a"], max_retries=9, timeout_seconds=1.5,
            run_at="2090-01-02T03:04:05Z",
        )  # fmt: skip
        fields = await form(client, task_id)
        kept = {name: fields[name] for name in ("seen", "priority")}
        answer = await client.post(at(task_id, "/edit"), data={**dict.fromkeys(fields, ""), **kept})
        assert answer.status_code == 303, answer.text
        task = (await client.get(f"/tasks/{task_id}")).json()
        assert (task["title"], task["description"], task["tags"]) == ("taskq.echo", None, [])
        assert (task["max_retries"], task["timeout_seconds"]) == (3, 300.0)
        assert task["run_at"] < "2089"


async def test_a_start_is_typed_in_utc(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        for typed, stored in (
            ("2091-02-03T04:05", "2091-02-03T04:05:00Z"),
            ("2091-02-03T04:05:06", "2091-02-03T04:05:06Z"),
            ("2091-02-03T04:05:06.5", "2091-02-03T04:05:06.500000Z"),
        ):
            fields = {**await form(client, task_id), "run_at": typed}
            assert (await client.post(at(task_id, "/edit"), data=fields)).status_code == 303
            assert (await client.get(f"/tasks/{task_id}")).json()["run_at"] == stored


async def test_the_status_decides_what_can_be_changed(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    always = {"seen", "title", "description", "tags"}
    until_final = {"priority", "max_retries", "timeout_seconds"}
    async with browsing(runtime) as client:
        waiting = await submitted(client)
        running = await submitted(client)
        await worker.claim(running)
        assert set(await form(client, waiting)) == always | until_final | {"run_at"}
        assert set(await form(client, running)) == always | until_final
        assert set(await form(client, await failed(client, worker))) == always


async def test_who_may_not_run_the_handler_decides_not_when_it_runs(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as anybody:
        task_id = await submitted(anybody)
    async with browsing(runtime, scopes=("tasks:read", "tasks:write")) as client:
        fields = await form(client, task_id)
        assert {"priority", "run_at"}.isdisjoint(fields)
        refused = await client.post(at(task_id, "/edit"), data={**fields, "priority": "high"})
        assert refused.status_code == 403
        assert "tasks:run:taskq.echo" in text_of(refused)
        changed = await client.post(at(task_id, "/edit"), data={**fields, "title": "Mine"})
        assert changed.status_code == 303


async def test_a_conflict_keeps_what_was_typed_and_may_be_saved_then(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client, title="Old")
        fields = await form(client, task_id)
        await client.patch(f"/tasks/{task_id}", json={"title": "Theirs <b>"})
        page = await client.post(
            at(task_id, "/edit"), data={**fields, "title": "Mine", "description": "typed"}
        )
        assert page.status_code == 412
        assert "the task was changed since this form was shown" in text_of(page)
        assert "now: Theirs <b>" in text_of(page)
        kept = fields_of(page)
        assert (kept["title"], kept["description"]) == ("Mine", "typed")
        assert (await client.get(f"/tasks/{task_id}")).json()["title"] == "Theirs <b>"
        assert (await client.post(at(task_id, "/edit"), data=kept)).status_code == 303
        assert (await client.get(f"/tasks/{task_id}")).json()["title"] == "Mine"


async def test_progress_is_no_conflict(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        claimed = await worker.claim(task_id)
        fields = await form(client, task_id)
        await worker.report(claimed, {"current": 1, "total": 2, "message": None})
        answer = await client.post(at(task_id, "/edit"), data={**fields, "title": "Mine"})
        assert answer.status_code == 303, answer.text
        assert (await client.get(f"/tasks/{task_id}")).json()["title"] == "Mine"


async def test_a_task_that_has_ended_meanwhile_says_what_can_change_no_more(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        claimed = await worker.claim(task_id)
        fields = await form(client, task_id)
        await worker.succeed(claimed, 1)
        page = await client.post(at(task_id, "/edit"), data={**fields, "max_retries": "9"})
        assert page.status_code == 409
        assert "max_retries: the task is succeeded" in text_of(page)


WRONG: list[tuple[str, str, str]] = [
    ("title", "a\x1bb", "/title"),
    ("title", "x" * 256, "/title"),
    ("tags", "x" * 65, "/tags/0"),
    ("tags", "\n".join(map(str, range(33))), "/tags"),
    ("max_retries", "many", "/max_retries"),
    ("max_retries", "1.5", "/max_retries"),
    ("max_retries", "1_0", "/max_retries"),
    ("max_retries", "101", "/max_retries"),
    ("timeout_seconds", "0", "/timeout_seconds"),
    ("timeout_seconds", "nan", "/timeout_seconds"),
    ("priority", "first", "/priority"),
    ("run_at", "tomorrow", "/run_at"),
    ("run_at", "1960-01-01T00:00", "/run_at"),
]


async def test_what_cannot_be_is_said_and_kept(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        fields = await form(client, task_id)
        for name, typed, pointer in WRONG:
            page = await client.post(at(task_id, "/edit"), data={**fields, name: typed})
            assert page.status_code == 422, (name, typed)
            assert pointer in text_of(page), (name, typed)
            if name not in ("priority", "title"):
                assert fields_of(page)[name] == typed
        assert (await client.get(f"/tasks/{task_id}")).json()["version"] == 1


async def test_a_form_without_its_hidden_field_is_a_conflict(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with browsing(runtime) as client:
        task_id = await submitted(client)
        page = await client.post(at(task_id, "/edit"), data={"title": "Mine"})
        assert page.status_code == 412
