"""Keys are made, listed and given scopes by whoever may, and by nobody else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from taskq_server.crud.tables import api_keys, namespaces
from taskq_server.runtime import Runtime
from tests.integration.api.keys import ALL, NEW, Headers, bearer, made, make_key, refusal, shown


@pytest.fixture
async def operator(runtime: Runtime) -> Headers:
    return shown(await make_key(runtime, "admin", namespace="*"))


@pytest.fixture
async def acme(runtime: Runtime) -> AsyncIterator[str]:
    """Another namespace."""
    row = {"name": "acme", "created_at": runtime.clock()}
    await runtime.database.write(lambda c: c.execute(namespaces.insert().values(row)))
    yield "acme"
    await runtime.database.write(
        lambda c: c.execute(namespaces.delete().where(namespaces.c.name == "acme"))
    )


async def test_a_new_key_is_shown_once_and_opens_what_it_says(
    closed: httpx.AsyncClient, admin: Headers, runtime: Runtime
) -> None:
    response = await closed.post("/keys", json={**NEW, "rate_limit": "600/minute"}, headers=admin)
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    key = response.json()
    assert key["key"].startswith(f"tq_{key['id']}_")
    assert (await closed.get("/tasks", headers=bearer(key))).status_code == 200
    secret = key.pop("key")
    got = await closed.get(f"/keys/{key['id']}", headers=admin)
    listed = await closed.get("/keys", headers=admin)
    assert got.json() == next(one for one in listed.json()["items"] if one["id"] == key["id"])
    assert {**got.json(), "last_used_at": None} == key
    assert (key["namespace"], key["rate_limit"]) == ("default", "600/minute")
    assert key["scopes"] == NEW["scopes"]
    rows = await runtime.database.read(lambda c: c.execute(api_keys.select()))
    everything = f"{got.text}{listed.text}{[*rows]!r}{runtime!r}"
    assert secret.split("_", 2)[2] not in everything


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"scopes": []}, "/scopes", "too-short"),
        ({"scopes": None}, "/scopes", "list-type"),
        ({"scopes": ["tasks:read"] * 101}, "/scopes", "too-long"),
        ({"scopes": ["tasks:read", "tasks:reed"]}, "/scopes/1", "invalid-value"),
        ({"scopes": ["tasks:run:"]}, "/scopes/0", "invalid-value"),
        ({"scopes": ["tasks:run:a b"]}, "/scopes/0", "invalid-value"),
        ({"scopes": ["*"]}, "/scopes/0", "invalid-value"),
        ({"scopes": ["Admin"]}, "/scopes/0", "invalid-value"),
        ({"name": ""}, "/name", "string-too-short"),
        ({"name": "a\nb"}, "/name", "string-pattern-mismatch"),
        ({"name": "x" * 256}, "/name", "string-too-long"),
        ({"namespace": "nowhere"}, "/namespace", "unknown-namespace"),
        ({"namespace": ""}, "/namespace", "string-too-short"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at", "past"),
        ({"expires_at": "2001-01-01"}, "/expires_at", "invalid-value"),
        ({"rate_limit": "600"}, "/rate_limit", "string-pattern-mismatch"),
        ({"rate_limit": "0/minute"}, "/rate_limit", "string-pattern-mismatch"),
        ({"key": "tq_x"}, "/key", "unknown-field"),
    ],
)
async def test_nonsense_is_refused_with_a_pointer(
    closed: httpx.AsyncClient, operator: Headers, fields: dict[str, Any], pointer: str, code: str
) -> None:
    response = await closed.post("/keys", json={**NEW, **fields}, headers=operator)
    assert (pointer, code) in refusal(response, 422, "invalid-request")


async def test_scopes_are_asked_for_and_never_everything(
    closed: httpx.AsyncClient, admin: Headers
) -> None:
    response = await closed.post("/keys", json={"name": "x"}, headers=admin)
    assert refusal(response, 422, "invalid-request") == [("/scopes", "missing")]


async def test_an_unknown_namespace_is_answered_with_the_nearest(
    closed: httpx.AsyncClient, operator: Headers
) -> None:
    response = await closed.post("/keys", json={**NEW, "namespace": "defualt"}, headers=operator)
    assert response.json()["detail"].endswith("no namespace defualt: did you mean default?")


async def test_a_key_gives_away_no_scope_that_it_has_not(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    headers = shown(await make_key(runtime, "admin", "tasks:run:reports.*"))
    given = ["admin", "tasks:run:reports.month*", "tasks:run:reports.x"]
    assert (await made(closed, headers, scopes=given))["scopes"] == given
    wanted = ["admin", "tasks:read", "tasks:run:report*", "tasks:run:*", "metrics:read"]
    response = await closed.post("/keys", json={**NEW, "scopes": wanted}, headers=headers)
    assert refusal(response, 403, "forbidden") == [
        (f"/scopes/{place}", "missing-scope") for place in (1, 2, 3, 4)
    ]


async def test_a_new_secret_gives_away_no_scope_either(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    mine = await make_key(runtime, "admin")
    richer = await make_key(runtime, "tasks:read")
    response = await closed.post(f"/keys/{richer.id}/rotate", headers=shown(mine))
    assert refusal(response, 403, "forbidden") == [("/header/authorization", "missing-scope")]
    assert (await closed.get("/tasks", headers=shown(richer))).status_code == 200
    own = await closed.post(f"/keys/{mine.id}/rotate", headers=shown(mine))
    assert own.status_code == 201


async def test_only_an_admin_manages_keys(closed: httpx.AsyncClient, runtime: Runtime) -> None:
    rest = [scope for scope in ALL if scope != "admin"]
    other = await make_key(runtime, *rest)
    headers = shown(other)
    for response in (
        await closed.post("/keys", json=NEW, headers=headers),
        await closed.get("/keys", headers=headers),
        await closed.get(f"/keys/{other.id}", headers=headers),
        await closed.post(f"/keys/{other.id}/rotate", headers=headers),
        await closed.post(f"/keys/{other.id}/revoke", headers=headers),
    ):
        assert refusal(response, 403, "forbidden") == [("/header/authorization", "missing-scope")]


async def test_a_namespaces_admin_sees_no_other_keys(
    closed: httpx.AsyncClient, admin: Headers, runtime: Runtime, acme: str
) -> None:
    foreign = [
        await make_key(runtime, "tasks:read", namespace=acme),
        await make_key(runtime, "tasks:read", namespace="*"),
    ]
    for each in foreign:
        for response in (
            await closed.get(f"/keys/{each.id}", headers=admin),
            await closed.post(f"/keys/{each.id}/rotate", headers=admin),
            await closed.post(f"/keys/{each.id}/revoke", headers=admin),
        ):
            unknown = response.text.replace(each.id, "x")
            assert refusal(response, 404, "key-not-found") == []
            assert "there is no key x" in unknown
    listed = (await closed.get("/keys", headers=admin)).json()["items"]
    assert {key["namespace"] for key in listed} == {"default"}
    for namespace in (acme, "*", "nowhere"):
        response = await closed.get("/keys", params={"namespace": namespace}, headers=admin)
        assert refusal(response, 403, "forbidden") == [("/query/namespace", "foreign-namespace")]
        response = await closed.post("/keys", json={**NEW, "namespace": namespace}, headers=admin)
        assert refusal(response, 403, "forbidden") == [("/namespace", "foreign-namespace")]
    everywhere = await closed.get("/keys", params={"namespace": "default"}, headers=admin)
    assert everywhere.json()["items"] == listed
    for each in foreign:
        assert (await closed.get("/keys/self", headers=shown(each))).is_success


async def test_an_operator_manages_all_keys(
    closed: httpx.AsyncClient, operator: Headers, runtime: Runtime, acme: str
) -> None:
    usual = await made(closed, operator)
    theirs = await made(closed, operator, namespace=acme)
    other = await made(closed, operator, namespace="*", scopes=["admin", "metrics:read"])
    assert [key["namespace"] for key in (usual, theirs, other)] == ["default", "acme", "*"]
    assert "tasks:read" in theirs["scopes"]  # which the operator's key has not
    own = (await closed.get("/keys/self", headers=operator)).json()["id"]
    listed = (await closed.get("/keys", headers=operator)).json()["items"]
    assert [key["id"] for key in listed] == [other["id"], theirs["id"], usual["id"], own]
    named = await closed.get("/keys", params={"namespace": acme}, headers=operator)
    assert [key["id"] for key in named.json()["items"]] == [theirs["id"]]
    assert (await closed.get("/keys", headers=bearer(other))).json()["items"] != []
    rotated = await closed.post(f"/keys/{theirs['id']}/rotate", headers=operator)
    assert rotated.status_code == 201
    revoked = await closed.post(f"/keys/{theirs['id']}/revoke", headers=operator)
    assert revoked.json()["revoked_at"] is not None


async def test_an_operator_who_names_a_namespace_is_in_it(
    closed: httpx.AsyncClient, operator: Headers, acme: str
) -> None:
    there = {**operator, "Taskq-Namespace": acme}
    await made(closed, operator)
    key = await made(closed, there)
    assert key["namespace"] == acme
    listed = (await closed.get("/keys", headers=there)).json()["items"]
    assert [each["id"] for each in listed] == [key["id"]]
    assert (await closed.get("/keys/self", headers=there)).json()["namespace"] == acme


async def test_pages_follow_each_other_and_miss_no_key(
    closed: httpx.AsyncClient, admin: Headers, operator: Headers, runtime: Runtime
) -> None:
    at = runtime.clock() - timedelta(hours=1)  # all at one time: ids decide
    ids = [(await make_key(runtime, "tasks:read", created_at=at)).id for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        response = await closed.get("/keys", params=query, headers=admin)
        page = response.json()
        seen += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            assert "Link" not in response.headers
            break
        query["cursor"] = page["next_cursor"]
        assert f'cursor={query["cursor"]}>; rel="next"' in response.headers["Link"]
    assert seen[1:] == sorted(ids, reverse=True)
    assert len(seen) == 6
    response = await closed.get("/keys", params=query, headers=operator)
    refusal(response, 422, "invalid-cursor")
    for cursor in ("x", "A" * 24, "é"):
        response = await closed.get("/keys", params={"cursor": cursor}, headers=admin)
        refusal(response, 422, "invalid-cursor")
    response = await closed.get("/keys", params={"limit": 0}, headers=admin)
    assert response.status_code == 422


async def test_any_key_may_ask_whose_it_is(closed: httpx.AsyncClient, runtime: Runtime) -> None:
    token = await make_key(runtime, "metrics:read", "tasks:run:b", name="dashboard")
    response = await closed.get("/keys/self", headers=shown(token))
    caller = response.json()
    assert (caller["id"], caller["name"], caller["namespace"]) == (token.id, "dashboard", "default")
    assert caller["scopes"] == ["metrics:read", "tasks:run:b"]
    assert token.secret not in response.text


async def test_whoever_needs_no_key_may_do_everything(api: httpx.AsyncClient) -> None:
    caller = (await api.get("/keys/self")).json()
    assert (caller["id"], caller["name"], caller["namespace"]) == (None, None, "default")
    assert caller["scopes"] == ALL
    assert (await api.post("/keys", json={**NEW, "namespace": "*"})).status_code == 403
