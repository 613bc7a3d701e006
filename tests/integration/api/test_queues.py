"""`GET /queues`, pauses and resumes."""

from typing import Any

import httpx
import pytest

from taskq_server.domain.admission import Gate, NotNow
from taskq_server.domain.caller import Caller
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tests.support.namespaces import make_namespaces

STILL = {"depth": 0, "running": 0, "oldest_age_seconds": None, "throughput_per_minute": 0.0}


async def listed(api: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await api.get("/queues")
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["items"]}


async def test_nothing_is_there(api: httpx.AsyncClient) -> None:
    assert await listed(api) == {}


async def test_a_queue_is_paused_and_goes_on(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    running, waiting = [(await submit(queue="mails"))["id"] for _ in range(2)]
    claimed = await worker.claim(running)
    answer = await api.post("/queues/mails/pause", json={"note": "the provider is down"})
    assert answer.status_code == 200
    paused = answer.json()
    assert paused == {
        **STILL,
        "name": "mails",
        "paused": True,
        "paused_at": paused["paused_at"],
        "note": "the provider is down",
        "depth": 1,
        "running": 1,
        "oldest_age_seconds": paused["oldest_age_seconds"],
        "workers": 0,
    }
    assert paused["paused_at"].endswith("Z")
    assert paused["oldest_age_seconds"] >= 0
    refused = await worker.ask(waiting)
    assert isinstance(refused, NotNow)
    assert refused.gate is Gate.QUEUE
    await worker.succeed(claimed, 1)
    again = (await api.post("/queues/mails/pause")).json()
    assert (again["paused_at"], again["note"]) == (paused["paused_at"], paused["note"])
    assert again["running"] == 0, "what ran went on"
    assert again["throughput_per_minute"] > 0
    for _ in range(2):
        resumed = await api.post("/queues/mails/resume")
        assert resumed.status_code == 200
        one = resumed.json()
        assert (one["paused"], one["paused_at"], one["note"]) == (False, None, None)
    await worker.claim(waiting)


async def test_a_retry_of_a_paused_queue_waits(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task = (await submit(queue="mails"))["id"]
    claimed = await worker.claim(task)
    await api.post("/queues/mails/pause")
    await worker.fail(claimed, fatal=True)
    assert (await api.post(f"/tasks/{task}/retry")).json()["status"] == "queued"
    assert isinstance(await worker.ask(task), NotNow)


async def test_queues_with_tasks_workers_or_a_pause_are_listed(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    await submit(queue="tasks")
    await add_worker(runtime, queues=["workers", "tasks"])
    await add_worker(runtime, queues=["workers"])
    await api.post("/queues/a/b/pause")
    found = await listed(api)
    assert list(found) == ["a/b", "tasks", "workers"]
    assert found["workers"] == {
        **STILL, "name": "workers", "paused": False, "paused_at": None, "note": None, "workers": 2,
    }  # fmt: skip
    assert (found["tasks"]["workers"], found["tasks"]["depth"]) == (1, 1)
    assert found["a/b"]["paused"]
    await api.post("/queues/a/b/resume")
    assert list(await listed(api)) == ["a/b", "tasks", "workers"], "its row is still there"


async def test_names_may_hold_slashes_and_the_words_of_the_paths(api: httpx.AsyncClient) -> None:
    for path in ("a/pause", "a%2Fresume", "pause", "a:b.c-d_e"):
        assert (await api.post(f"/queues/{path}/pause")).status_code == 200
    assert set(await listed(api)) == {"a/pause", "a/resume", "pause", "a:b.c-d_e"}
    assert (await api.post("/queues/a/pause/resume")).json()["name"] == "a/pause"
    assert {name for name, one in (await listed(api)).items() if not one["paused"]} == {"a/pause"}


@pytest.mark.parametrize("name", ["-a", "a b", "%C3%A4", "a" * 65, ""])
async def test_no_queue_has_such_a_name(api: httpx.AsyncClient, name: str) -> None:
    for verb in ("pause", "resume"):
        answer = await api.post(f"/queues/{name}/{verb}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "/path/name"
    assert await listed(api) == {}


@pytest.mark.parametrize("note", ["", "a" * 501, "\x1b[2J", 1, ["a"]])
async def test_no_note_is_like_this(api: httpx.AsyncClient, note: object) -> None:
    answer = await api.post("/queues/mails/pause", json={"note": note})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/note"
    assert await listed(api) == {}


async def test_equal_names_in_two_namespaces_are_two_queues(
    api: httpx.AsyncClient, runtime: Runtime, submit: Submit, worker: ScriptedWorker
) -> None:
    await make_namespaces(runtime.database, "theirs")
    theirs = Caller("theirs")
    await runtime.queues.pause(theirs, "mails")
    assert await listed(api) == {}
    assert [each.stats.name for each in await runtime.queues.list(theirs)] == ["mails"]
    await worker.claim((await submit(queue="mails"))["id"])
