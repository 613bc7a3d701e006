"""Secrets of keys: rotated, ended with their overlap or by a revocation, and never shown again."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest

from taskq_server.domain.keys import Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from taskq_server.schemas import wire
from tests.integration.api.keys import ALL, Headers, bearer, made, make_key, refusal
from tests.integration.api.schedules import put
from tests.integration.api.scripted_worker import ScriptedWorker


async def test_rotation_keeps_the_id_and_the_old_secret_for_the_overlap(
    closed: httpx.AsyncClient, admin: Headers
) -> None:
    first = await made(closed, admin)
    path = f"/keys/{first['id']}/rotate"
    response = await closed.post(path, json={"overlap_seconds": 60}, headers=admin)
    assert (response.status_code, response.headers["Cache-Control"]) == (201, "no-store")
    second = response.json()
    assert (second["id"], second["name"]) == (first["id"], first["name"])
    assert second["key"] != first["key"]
    assert second["previous_until"] is not None
    for key in (first, second):
        assert (await closed.get("/tasks", headers=bearer(key))).status_code == 200
    third = (await closed.post(path, json={"overlap_seconds": 0}, headers=admin)).json()
    assert third["previous_until"] is None
    opened = [
        (await closed.get("/tasks", headers=bearer(key))).status_code
        for key in (first, second, third)
    ]
    assert opened == [401, 401, 200]


async def test_the_old_secret_ends_with_the_overlap(
    closed: httpx.AsyncClient, admin: Headers, runtime: Runtime
) -> None:
    first = await made(closed, admin)
    rotated = await closed.post(
        f"/keys/{first['id']}/rotate", json={"overlap_seconds": 0.2}, headers=admin
    )
    until = datetime.fromisoformat(rotated.json()["previous_until"])
    await asyncio.sleep((until - runtime.clock()).total_seconds() + 0.05)
    assert (await closed.get("/tasks", headers=bearer(first))).status_code == 401
    assert (await closed.get("/tasks", headers=bearer(rotated.json()))).status_code == 200


async def test_an_overlap_is_a_day_unless_told_otherwise(
    closed: httpx.AsyncClient, admin: Headers, runtime: Runtime
) -> None:
    first = await made(closed, admin)
    path = f"/keys/{first['id']}/rotate"
    for body in ({}, {"json": {}}):
        before = runtime.clock()
        until = (await closed.post(path, headers=admin, **body)).json()["previous_until"]
        day = timedelta(days=1)
        assert wire.moment(before + day) <= until <= wire.moment(runtime.clock() + day)
    for seconds in (-1, 2_592_001, "60", None):
        response = await closed.post(path, json={"overlap_seconds": seconds}, headers=admin)
        assert ("/overlap_seconds" in response.text, response.status_code) == (True, 422)
    response = await closed.post(path, content=b"x", headers=admin)
    assert response.status_code == 415


async def test_rotations_at_once_leave_two_secrets_that_open(
    closed: httpx.AsyncClient, admin: Headers
) -> None:
    key = await made(closed, admin)
    path = f"/keys/{key['id']}/rotate"
    rotated = await asyncio.gather(*(closed.post(path, headers=admin) for _ in range(4)))
    opened = [
        (await closed.get("/tasks", headers=bearer(each.json()))).status_code for each in rotated
    ]
    assert sorted(opened) == [200, 200, 401, 401]


async def test_revoking_ends_all_secrets_and_again_changes_nothing(
    closed: httpx.AsyncClient, admin: Headers
) -> None:
    first = await made(closed, admin)
    path = f"/keys/{first['id']}"
    second = (await closed.post(f"{path}/rotate", headers=admin)).json()
    revoked = await closed.post(f"{path}/revoke", headers=admin)
    assert revoked.status_code == 200
    again = await closed.post(f"{path}/revoke", headers=admin)
    assert again.json() == revoked.json()
    assert again.json()["revoked_at"] is not None
    for key in (first, second):
        assert (await closed.get("/tasks", headers=bearer(key))).status_code == 401
    refusal(await closed.post(f"{path}/rotate", headers=admin), 409, "key-ended")


async def test_revoking_tells_what_goes_on(
    closed: httpx.AsyncClient, admin: Headers, worker: ScriptedWorker
) -> None:
    mine = await made(closed, admin, scopes=ALL)
    other = await made(closed, admin, scopes=ALL)
    for name, key in (("weekly", mine), ("nightly", mine), ("other", other)):
        assert (await put(closed, name, headers=bearer(key))).status_code == 201
    body = {"action": "delete", "filter": {"status": "failed"}}
    running = await closed.post("/tasks/bulk", json=body, headers=bearer(mine))
    stopped = await closed.post("/tasks/bulk", json=body, headers=bearer(mine))
    await closed.post(f"/bulk/{stopped.json()['id']}/stop", headers=admin)
    revoked = (await closed.post(f"/keys/{mine['id']}/revoke", headers=admin)).json()
    assert revoked["operations"] == [{"namespace": "default", "id": running.json()["id"]}]
    assert revoked["schedules"] == [
        {"namespace": "default", "name": "weekly"},
        {"namespace": "default", "name": "nightly"},
    ]
    nothing = await made(closed, admin)
    revoked = (await closed.post(f"/keys/{nothing['id']}/revoke", headers=admin)).json()
    assert (revoked["operations"], revoked["schedules"]) == ([], [])
    read = (await closed.get(f"/keys/{mine['id']}", headers=admin)).json()
    assert "schedules" not in read


async def test_an_expired_key_gets_no_new_secret(
    closed: httpx.AsyncClient, admin: Headers, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read", expires_at=runtime.clock())
    refusal(await closed.post(f"/keys/{token.id}/rotate", headers=admin), 409, "key-ended")


@pytest.mark.parametrize("key_id", ["A" * 12, "self", "A" * 11, "A" * 13, "A" * 11 + "-"])
async def test_unknown_ids_are_not_found(
    closed: httpx.AsyncClient, admin: Headers, key_id: str
) -> None:
    for response in (
        await closed.post(f"/keys/{key_id}/rotate", headers=admin),
        await closed.post(f"/keys/{key_id}/revoke", headers=admin),
    ):
        assert response.status_code == 404


async def test_the_first_key_closes_a_local_api_at_once(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"auth": "auto"})
    app = create_app(runtime=replace(runtime, settings=settings), allowed_hosts=["taskq"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        key = await made(client, {}, scopes=ALL)
        assert (await client.get("/tasks")).status_code == 401
        assert (await client.post(f"/keys/{key['id']}/revoke", headers=bearer(key))).is_success
        assert (await client.get("/tasks")).status_code == 401
        assert (await client.get("/tasks", headers=bearer(key))).status_code == 401


def test_a_repr_has_no_secret() -> None:
    assert "B" * 43 not in repr(Token("A" * 12, "B" * 43))
