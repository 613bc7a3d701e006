"""`PATCH`, `DELETE`, cancel and retry of a task."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker

ALL = {
    "title": "new",
    "description": "text",
    "tags": ["x", "a"],
    "priority": "urgent",
    "max_retries": 7,
    "timeout_seconds": 2.5,
    "run_at": "2100-01-01T00:00:00Z",
}


async def finished(submit: Submit, worker: ScriptedWorker, *, well: bool) -> str:
    task_id: str = (await submit())["id"]
    claimed = await worker.claim(task_id)
    if well:
        await worker.succeed(claimed, 1)
    else:
        await worker.fail(claimed, fatal=True)
    return task_id


async def test_a_merge_patch_changes_what_it_names(api: httpx.AsyncClient, submit: Submit) -> None:
    task = await submit(title="old", tags=["gone"])
    response = await api.patch(
        f"/tasks/{task['id']}", json=ALL, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert response.status_code == 200
    changed = response.json()
    assert changed == {
        **task,
        **ALL,
        "tags": ["a", "x"],
        "version": changed["version"],
        "updated_at": changed["updated_at"],
    }
    assert response.headers["etag"] == f'"{changed["version"]}"'
    assert (await api.get(f"/tasks/{task['id']}")).json() == changed


async def test_null_resets(api: httpx.AsyncClient, submit: Submit) -> None:
    fresh = await submit()
    task = await submit(**ALL)
    changed = (await api.patch(f"/tasks/{task['id']}", json=dict.fromkeys(ALL))).json()
    assert changed.pop("run_at") <= changed["updated_at"]
    assert {name: changed[name] for name in ALL if name != "run_at"} == {
        name: fresh[name] for name in ALL if name != "run_at"
    }


async def test_nothing_named_nothing_changed(api: httpx.AsyncClient, submit: Submit) -> None:
    task = await submit(tags=["a"], title="t")
    changed = (await api.patch(f"/tasks/{task['id']}", json={})).json()
    ignored = ("version", "updated_at")
    assert {k: v for k, v in changed.items() if k not in ignored} == {
        k: v for k, v in task.items() if k not in ignored
    }


@pytest.mark.parametrize("name", ["handler", "payload", "status", "queue", "id", "version"])
async def test_other_fields_are_refused(api: httpx.AsyncClient, submit: Submit, name: str) -> None:
    task = await submit()
    response = await api.patch(f"/tasks/{task['id']}", json={"title": "x", name: task[name]})
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]
    assert (await api.get(f"/tasks/{task['id']}")).json() == task


async def test_what_a_running_task_lets_change(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    await worker.claim(path.removeprefix("/tasks/"))
    assert (await api.patch(path, json={"priority": "low", "tags": ["b"]})).status_code == 200
    response = await api.patch(path, json={"run_at": None})
    assert (response.status_code, response.json()["code"]) == (409, "invalid-transition")


@pytest.mark.parametrize("name", ["priority", "max_retries", "timeout_seconds", "run_at"])
async def test_what_a_final_task_does_not_let_change(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, name: str
) -> None:
    path = f"/tasks/{await finished(submit, worker, well=True)}"
    response = await api.patch(path, json={"title": "x", name: ALL[name]})
    assert (response.status_code, response.json()["code"]) == (409, "invalid-transition")
    always = {"title": "x", "description": "y", "tags": ["z"]}
    assert (await api.patch(path, json=always)).status_code == 200


@pytest.mark.parametrize(
    ("condition", "status", "code"),
    [
        ('"1"', 200, None),
        ("*", 200, None),
        ('"8", "1"', 200, None),
        ('"2"', 412, "version-mismatch"),
        ('W/"1"', 412, "version-mismatch"),
        ('"one"', 412, "version-mismatch"),
        ("1", 400, "invalid-header"),
        ('"1"x', 400, "invalid-header"),
        ("", 400, "invalid-header"),
    ],
)
async def test_if_match(
    api: httpx.AsyncClient, submit: Submit, condition: str, status: int, code: str | None
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    response = await api.patch(path, json={"title": "new"}, headers={"If-Match": condition})
    assert (response.status_code, response.json().get("code")) == (status, code)
    changed = (await api.get(path)).json()["title"] == "new"
    assert changed is (status == 200)


async def test_delete(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit(tags=['a']))['id']}"
    response = await api.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert (await api.delete(path)).status_code == 404
    assert (await api.get(path)).status_code == 404
    assert (await api.get("/tags")).json() == {"items": []}


async def test_a_running_task_cannot_be_deleted(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    await worker.claim(path.removeprefix("/tasks/"))
    response = await api.delete(path)
    assert (response.status_code, response.json()["code"]) == (409, "invalid-transition")
    assert (await api.get(path)).status_code == 200


async def test_cancel_what_waits(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    response = await api.post(f"{path}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.json()["finished_at"] is not None
    again = await api.post(f"{path}/cancel")
    assert (again.status_code, again.json()) == (200, response.json())


async def test_cancel_what_runs(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    await worker.claim(path.removeprefix("/tasks/"))
    response = await api.post(f"{path}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "running")
    assert response.json()["cancel_requested_at"] is not None
    assert response.headers["etag"] == f'"{response.json()["version"]}"'


@pytest.mark.parametrize("well", [True, False])
async def test_cancel_what_is_over(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, well: bool
) -> None:
    task_id = await finished(submit, worker, well=well)
    response = await api.post(f"/tasks/{task_id}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "invalid-transition")


async def test_retry_what_failed(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task_id = await finished(submit, worker, well=False)
    before = (await api.get(f"/tasks/{task_id}")).json()
    response = await api.post(f"/tasks/{task_id}/retry")
    task: dict[str, Any] = response.json()
    assert (response.status_code, task["status"]) == (200, "queued")
    assert (task["id"], task["current_retry_count"]) == (task_id, 0)
    assert task["errors"] == before["errors"] != []
    assert response.headers["etag"] == f'"{task["version"]}"'


async def test_retry_what_was_cancelled(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    await api.post(f"{path}/cancel")
    assert (await api.post(f"{path}/retry")).json()["status"] == "queued"


async def test_nothing_else_can_be_retried(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    path = f"/tasks/{(await submit())['id']}"
    codes = [(await api.post(f"{path}/retry")).status_code]
    claimed = await worker.claim(path.removeprefix("/tasks/"))
    codes.append((await api.post(f"{path}/retry")).status_code)
    await worker.succeed(claimed, 1)
    codes.append((await api.post(f"{path}/retry")).status_code)
    assert codes == [409] * 3


@pytest.mark.parametrize(
    ("method", "suffix"), [("PATCH", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")]
)
async def test_nothing_can_be_done_to_nothing(
    api: httpx.AsyncClient, method: str, suffix: str
) -> None:
    response = await api.request(
        method, f"/tasks/{uuid4()}{suffix}", json={} if method == "PATCH" else None
    )
    assert (response.status_code, response.json()["code"]) == (404, "task-not-found")
