"""`GET /workers` for callers with keys: whose workers they see, and which tasks of these."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from taskq_server.api.namespace_header import NAME
from taskq_server.domain.caller import Caller
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.workers import add_worker
from tests.support.namespaces import make_namespaces
from tests.unit.server.factories import running, store

Workers = dict[str, dict[str, Any]]


@pytest.fixture
async def closed(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """An API that asks for keys, whose workers serve three namespaces."""
    await make_namespaces(runtime.database, "theirs", "others")
    ours = await add_worker(runtime, "ours")
    both = await add_worker(runtime, "both", namespaces=["default", "theirs"])
    theirs = await add_worker(runtime, "theirs", namespaces=["theirs"])
    every = await add_worker(runtime, "all", namespaces=["*"])
    for row in (ours, both, theirs, every):
        for namespace in ("default", "theirs"):
            await store(runtime.database, running(worker_id=row.id, namespace=namespace))
    async with calling_closed(runtime) as client:
        yield client


async def seen(closed: httpx.AsyncClient, headers: dict[str, str]) -> Workers:
    answer = await closed.get("/workers", headers=headers)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["items"]}


def namespaces_of(workers: Workers) -> dict[str, list[str]]:
    return {name: each["namespaces"] for name, each in workers.items()}


def running_in(workers: Workers) -> dict[str, list[str]]:
    assert all(each["running_count"] == len(each["running"]) for each in workers.values())
    return {
        name: sorted(task["namespace"] for task in each["running"])
        for name, each in workers.items()
    }


async def test_a_key_sees_the_workers_and_the_tasks_of_its_namespace(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    for namespace, own in (("default", "ours"), ("theirs", "theirs")):
        key = shown(await make_key(runtime, "tasks:read", namespace=namespace))
        workers = await seen(closed, key)
        served = {own: [namespace], "both": [namespace], "all": ["*"]}
        assert namespaces_of(workers) == served
        assert running_in(workers) == {name: [namespace] for name in served}
        assert all(each["handlers"] for each in workers.values())
    other = shown(await make_key(runtime, "tasks:read", namespace="others"))
    assert running_in(await seen(closed, other)) == {"all": []}


async def test_an_operator_sees_all_or_the_namespace_that_it_names(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = shown(await make_key(runtime, "tasks:read", namespace="*"))
    every = await seen(closed, key)
    named = {
        "ours": ["default"],
        "both": ["default", "theirs"],
        "theirs": ["theirs"],
        "all": ["*"],
    }
    assert namespaces_of(every) == named
    assert running_in(every) == {name: ["default", "theirs"] for name in named}
    theirs = await seen(closed, {**key, NAME: "theirs"})
    assert set(theirs) == {"both", "theirs", "all"}
    assert running_in(theirs) == {name: ["theirs"] for name in theirs}


async def test_who_may_not_read_tasks_sees_its_own_only(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    """And of the handlers those that it may submit to."""
    token = await make_key(runtime, "metrics:read", "tasks:run:taskq.e*")
    row = await add_worker(runtime, "more")
    own = running(worker_id=row.id, submitted_by=token.id, lost_count=1)
    foreign = running(worker_id=row.id, submitted_by="another", lost_count=1)
    elsewhere = running(worker_id=row.id, submitted_by=token.id, namespace="theirs")
    await store(runtime.database, own, foreign, elsewhere)
    workers = await seen(closed, shown(token))
    assert set(workers) == {"ours", "both", "all", "more"}
    assert [task["id"] for each in workers.values() for task in each["running"]] == [str(own.id)]
    assert {name: each["running_count"] for name, each in workers.items() if name != "more"} == {
        "ours": 0,
        "both": 0,
        "all": 0,
    }
    assert (workers["more"]["running_count"], workers["more"]["quarantine_in_use"]) == (1, 1)
    assert {tuple(each["handlers"]) for each in workers.values()} == {("taskq.echo",)}


@pytest.mark.parametrize("namespace", ["default", "*"])
async def test_numbers_alone_name_no_task(
    closed: httpx.AsyncClient, runtime: Runtime, namespace: str
) -> None:
    workers = await seen(
        closed, shown(await make_key(runtime, "metrics:read", namespace=namespace))
    )
    assert {"ours", "both", "all"} <= set(workers)
    for each in workers.values():
        assert (each["running"], each["running_count"], each["handlers"]) == ([], 0, [])


@pytest.mark.parametrize("scope", ["tasks:run:*", "tasks:write", "tasks:operate", "admin"])
async def test_other_scopes_do_not_open_it(
    closed: httpx.AsyncClient, runtime: Runtime, scope: str
) -> None:
    refused = await closed.get("/workers", headers=shown(await make_key(runtime, scope)))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_a_cursor_of_another_namespace_leads_nowhere(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    ours = shown(await make_key(runtime, "tasks:read"))
    theirs = shown(await make_key(runtime, "tasks:read", namespace="theirs"))
    cursor = (await closed.get("/workers?limit=1", headers=ours)).json()["next_cursor"]
    refused = await closed.get(f"/workers?limit=1&cursor={cursor}", headers=theirs)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-cursor")
    found = await closed.get(f"/workers?limit=1&cursor={cursor}", headers=ours)
    assert len(found.json()["items"]) == 1


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("namespace", ["default", "*"])
async def test_a_caller_without_a_key_and_without_the_scope_sees_no_task(
    runtime: Runtime, namespace: str
) -> None:
    """No such caller comes over HTTP today: where no key is asked for, all scopes are given."""
    page = await runtime.workers.list(Caller(namespace, scopes=frozenset({"metrics:read"})))
    assert page.items
    assert {each.running_count for each in page.items} == {0}
