"""`GET /tasks/{id}`, its conditions and waits, and `GET /tasks/{id}/attempts`."""

import asyncio

import httpx
import pytest

from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"


async def test_a_task_through_its_life(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    claimed = await worker.claim(path.removeprefix("/tasks/"))
    await worker.report(claimed, {"current": 1, "total": 4, "message": "reading"})
    running = (await api.get(path)).json()
    assert (running["status"], running["attempt"]) == ("running", 1)
    assert running["worker_id"] == str(worker.id)
    assert running["progress"] == {"current": 1, "total": 4, "message": "reading"}
    assert running["started_at"] is not None

    await worker.fail(claimed)
    retrying = (await api.get(path)).json()
    assert (retrying["status"], retrying["current_retry_count"]) == ("retrying", 1)
    (error,) = retrying["errors"]
    assert (error["outcome"], error["type"], error["message"]) == (
        "failed",
        "RuntimeError",
        "no luck",
    )
    assert error["retry_at"] == retrying["run_at"]
    assert (await api.get(f"{path}/attempts")).json() == {"items": [error]}


async def test_the_result(api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker) -> None:
    task = await submit()
    await worker.succeed(await worker.claim(task["id"]), {"rows": [1, 2.5, "três"]})
    done = (await api.get(f"/tasks/{task['id']}")).json()
    assert (done["status"], done["result"]) == ("succeeded", {"rows": [1, 2.5, "três"]})
    (attempt,) = (await api.get(f"/tasks/{task['id']}/attempts")).json()["items"]
    assert attempt["outcome"] == "succeeded"
    assert done["errors"] == []


@pytest.mark.parametrize("suffix", ["", "/attempts"])
@pytest.mark.parametrize(
    ("task_id", "code"),
    [
        (NOBODY, "task-not-found"),
        ("no-id", "not-found"),
        (NOBODY.replace("-", ""), "not-found"),
        ("{" + NOBODY + "}", "not-found"),
    ],
)
async def test_an_id_that_nobody_has(
    api: httpx.AsyncClient, task_id: str, suffix: str, code: str
) -> None:
    response = await api.get(f"/tasks/{task_id}{suffix}")
    assert (response.status_code, response.json()["code"]) == (404, code)


async def test_an_id_in_capitals_is_the_same_id(api: httpx.AsyncClient, submit: Submit) -> None:
    task = await submit()
    assert (await api.get(f"/tasks/{task['id'].upper()}")).json() == task


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"1"', 304),
        ('W/"1"', 304),
        ("*", 304),
        ('"7", W/"x", "1"', 304),
        ('"2"', 200),
        ('""', 200),
        ('"01"', 200),
        ("1", 400),
        ('"1', 400),
        ('"1" "2"', 400),
        ("", 400),
    ],
)
async def test_if_none_match(
    api: httpx.AsyncClient, submit: Submit, condition: str, status: int
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    response = await api.get(path, headers={"If-None-Match": condition})
    assert response.status_code == status
    if status == 304:
        assert response.headers["etag"] == '"1"'
        assert response.content == b""
    elif status == 400:
        assert response.json()["code"] == "invalid-header"
        assert response.json()["errors"][0]["pointer"] == "/header/If-None-Match"


async def test_if_none_match_may_come_in_two_lines(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    headers = [("If-None-Match", '"9"'), ("If-None-Match", '"1"')]
    assert (await api.get(path, headers=headers)).status_code == 304


async def test_the_etag_moves_with_the_task(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    before = (await api.get(path)).headers["etag"]
    await api.patch(path, json={"title": "new"})
    response = await api.get(path, headers={"If-None-Match": before})
    assert response.status_code == 200
    assert response.headers["etag"] != before


@pytest.mark.parametrize(("params", "headers"), [({"wait": "30"}, {}), ({}, {"Prefer": "wait=30"})])
async def test_wait_answers_when_the_task_is_final(
    api: httpx.AsyncClient,
    submit: Submit,
    worker: ScriptedWorker,
    params: dict[str, str],
    headers: dict[str, str],
) -> None:
    task = await submit()
    waiting = asyncio.create_task(api.get(f"/tasks/{task['id']}", params=params, headers=headers))
    claimed = await worker.claim(task["id"])
    assert not waiting.done()
    await worker.succeed(claimed, 1)
    response = await waiting
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.headers.get("preference-applied") == ("wait=30" if headers else None)


async def test_wait_answers_as_it_is_when_the_time_is_up(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    response = await api.get(path, params={"wait": "0.05"})
    assert (response.status_code, response.json()["status"]) == (200, "queued")


async def test_a_long_preference_is_capped(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    await api.post(f"{path}/cancel")
    response = await api.get(path, headers={"Prefer": "wait=900"})
    assert response.headers["preference-applied"] == "wait=60"


@pytest.mark.parametrize(
    "wait", ["", "-1", "60.1", "nan", "inf", "soon", "1_0", " 1", "+1", "٣", "0x1", "1e3"]
)
async def test_a_wait_that_cannot_be_one(api: httpx.AsyncClient, submit: Submit, wait: str) -> None:
    response = await api.get(f"/tasks/{(await submit())['id']}", params={"wait": wait})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/query/wait"]
