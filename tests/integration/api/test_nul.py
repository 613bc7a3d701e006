"""U+0000: no field of a person, no filter and no name takes it, whatever the database."""

from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Submit

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
FIELDS = {
    "title": {"title": "a\0b"},
    "description": {"description": "\0"},
    "tags/1": {"tags": ["a", "a\0"]},
}
NAMES = {"handler": {"handler": "taskq.echo\0"}, "queue": {"queue": "\0default"}}


def pointers(response: httpx.Response) -> list[str]:
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")
    return [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.parametrize("where", [*FIELDS, *NAMES])
async def test_a_task_to_be(api: httpx.AsyncClient, where: str) -> None:
    task: dict[str, Any] = {"handler": "taskq.echo", "payload": {"value": 1}}
    bad = {**task, **{**FIELDS, **NAMES}[where]}
    assert pointers(await api.post("/tasks", json=bad)) == [f"/{where}"]
    batch = {"items": [task, bad]}
    assert pointers(await api.post("/tasks/batch", json=batch)) == [f"/items/1/{where}"]
    assert (await api.get("/tasks")).json()["items"] == []


@pytest.mark.parametrize("where", FIELDS)
async def test_a_change(api: httpx.AsyncClient, submit: Submit, where: str) -> None:
    path = f"/tasks/{(await submit())['id']}"
    assert pointers(await api.patch(path, json=FIELDS[where])) == [f"/{where}"]
    assert (await api.get(path)).json()["version"] == 1


async def test_it_may_be_in_a_payload(api: httpx.AsyncClient, submit: Submit) -> None:
    task = await submit(payload={"value": "a\0b"})
    assert (await api.get(f"/tasks/{task['id']}")).json()["payload"] == {"value": "a\0b"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/%00"),
        ("GET", "/tasks%00"),
        ("GET", "/tasks/%00"),
        ("GET", f"/tasks/{NOBODY}%00"),
        ("DELETE", f"/tasks/{NOBODY[:-1]}%00"),
        ("POST", f"/tasks/{NOBODY}/cancel%00"),
        ("GET", f"/tasks/%00{NOBODY}/events"),
        ("GET", "/livez%00"),
        ("GET", "/docs/assets/%00"),
        ("GET", "/docs/assets/swagger-ui.css%00"),
        ("GET", "/docs/assets/%00/swagger-ui.css"),
    ],
)
async def test_no_path_has_it(api: httpx.AsyncClient, method: str, path: str) -> None:
    response = await api.request(method, path)
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("name", "status"),
    [("Idempotency-Key", 422), ("If-Match", 400), ("If-None-Match", 400), ("Prefer", 200)],
)
async def test_headers(api: httpx.AsyncClient, submit: Submit, name: str, status: int) -> None:
    path = f"/tasks/{(await submit())['id']}"
    headers = {name: '"1\0"'}
    match name:
        case "Idempotency-Key":
            body = {"handler": "taskq.echo", "payload": {"value": 1}}
            response = await api.post("/tasks", json=body, headers=headers)
        case "If-Match":
            response = await api.patch(path, json={"title": "b"}, headers=headers)
        case _:
            response = await api.get(path, headers=headers)
    assert response.status_code == status
    if status >= 400:
        assert [error["pointer"] for error in response.json()["errors"]] == [f"/header/{name}"]
