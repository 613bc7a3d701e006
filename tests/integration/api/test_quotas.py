"""How many queues and tags a namespace may have in use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from taskq_server.core.config import Settings
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Status
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.namespaces import make_namespaces

MOST = 3
FIELDS = [
    (lambda name: {"queue": name}, "/queue"),
    (lambda name: {"tags": [name]}, "/tags/0"),
]


def small(runtime: Runtime) -> Settings:
    quotas = {"max_queues": MOST, "max_tags": MOST}
    return runtime.settings.model_copy(update=quotas)


@pytest.fixture
async def opened(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[list[Runtime]]:
    """Two processes, as far as memory goes, with small quotas on one database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_runtime(small(runtime))) for _ in range(2)]


@pytest.fixture
async def apis(opened: list[Runtime]) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Their APIs."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(create_app(runtime=each)),
                    base_url="http://taskq",
                )
            )
            for each in opened
        ]


def body(**fields: Any) -> dict[str, Any]:
    return {"handler": "taskq.echo", "payload": {"value": 1}, **fields}


def new(**fields: Any) -> NewTask:
    return NewTask(**body(**fields))


async def post(api: httpx.AsyncClient, key: str = "", **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.post("/tasks", json=body(**fields), headers=headers)


async def batch(api: httpx.AsyncClient, *items: dict[str, Any]) -> httpx.Response:
    return await api.post("/tasks/batch", json={"items": [body(**item) for item in items]})


def refused(response: httpx.Response) -> list[str]:
    """The pointers of a refusal."""
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["code"] == "quota-exceeded"
    assert {error["code"] for error in problem["errors"]} == {"quota-exceeded"}
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize(("field", "pointer"), FIELDS)
async def test_names_beyond_the_quota_are_refused_until_others_are_gone(
    apis: list[httpx.AsyncClient], field: Any, pointer: str
) -> None:
    one, other = apis
    answers = [await post((one, other)[n % 2], **field(f"n{n}")) for n in range(MOST)]
    assert [answer.status_code for answer in answers] == [201] * MOST
    for api in apis:
        assert refused(await post(api, **field("more"))) == [pointer]
        assert refused(await batch(api, field("n1"), field("more"), field("other"))) == [
            f"/items/1{pointer}",
            f"/items/2{pointer}",
        ]
        assert (await post(api, **field("n1"))).status_code == 201, "a known name"
    stats = (await one.get("/stats")).json()
    assert stats["tasks"]["queued"] == MOST + 2, "nothing of the refused batches is stored"
    assert (await one.delete(answers[0].headers["Location"])).status_code == 204
    assert (await post(other, **field("more"))).status_code == 201
    assert refused(await post(other, **field("n0"))) == [pointer]


@pytest.mark.parametrize(("field", "pointer"), FIELDS)
async def test_a_name_that_has_lost_its_place_is_refused_by_who_knew_it(
    apis: list[httpx.AsyncClient], field: Any, pointer: str
) -> None:
    api = apis[0]
    answers = [await post(api, **field(f"n{n}")) for n in range(MOST)]
    assert (await api.delete(answers[1].headers["Location"])).status_code == 204
    assert (await post(api, **field("more"))).status_code == 201
    assert refused(await post(api, **field("n1"))) == [pointer]
    assert (await post(api, **field("n2"))).status_code == 201


@pytest.mark.parametrize(("field", "pointer"), FIELDS)
async def test_replays_and_retries_need_no_place(
    apis: list[httpx.AsyncClient], field: Any, pointer: str
) -> None:
    api, other = apis
    first = [await post(api, key=f"k{n}", **field(f"n{n}")) for n in range(MOST)]
    for n, answer in enumerate(first):
        again = await post(other, key=f"k{n}", **field(f"n{n}"))
        assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    assert refused(await post(other, key="new", **field("new"))) == [pointer]
    for action in ("cancel", "retry"):
        done = await other.post(f"{first[0].headers['Location']}/{action}")
        assert done.status_code == 200, done.text


@pytest.mark.parametrize("names", [{"tags": ["a", "b"]}, {"queue": "q", "tags": ["a"]}, {}])
async def test_known_names_cost_nothing(
    apis: list[httpx.AsyncClient], opened: list[Runtime], names: dict[str, Any]
) -> None:
    transactions: list[object] = []
    engine = opened[0].database.engine.sync_engine
    await post(apis[0], **names)
    event.listen(engine, "begin", transactions.append)
    for _ in range(10):
        assert (await post(apis[0], **names)).status_code == 201
    # Of names that are looked up it would be two for each; handlers are read again now and then.
    assert 10 <= len(transactions) < 15


async def test_namespaces_have_their_own_places(
    runtime: Runtime, opened: list[Runtime], apis: list[httpx.AsyncClient]
) -> None:
    settings = small(runtime).model_copy(update={"namespace": "other"})
    await make_namespaces(runtime.database, "other")
    async with open_runtime(settings) as other:
        await ScriptedWorker(other).publish()
        submit = opened[0].submit
        for caller in (CALLER, other.caller):
            for n in range(MOST):
                await submit.one(caller, new(queue=f"q{n}", tags=[f"t{n}"]))
            for more in (new(queue="more"), new(queue="q0", tags=["more"])):
                with pytest.raises(QuotaExceeded):
                    await submit.one(caller, more)


async def test_a_batch_of_thousands_of_new_tags(runtime: Runtime, worker: ScriptedWorker) -> None:
    def items(tags: int) -> list[NewTask]:
        names = [f"t{n}" for n in range(tags)]
        return [new(tags=names[n : n + 32]) for n in range(0, tags, 32)]

    with pytest.raises(QuotaExceeded) as refusal:
        await runtime.submit.batch(CALLER, items(20_000))
    assert refusal.value.errors[0].pointer == "/items/312/tags/16"
    assert (await runtime.stats.read(CALLER)).tasks[Status.QUEUED] == 0
    await runtime.submit.batch(CALLER, items(10_000))
    await runtime.submit.batch(CALLER, items(10_000))
    with pytest.raises(QuotaExceeded) as refusal:
        await runtime.submit.batch(CALLER, items(10_001))
    assert [error.pointer for error in refusal.value.errors] == ["/items/312/tags/16"]


async def test_a_change_of_tags_is_refused_as_a_whole(apis: list[httpx.AsyncClient]) -> None:
    api, other = apis
    task = (await post(api, tags=["a", "b"])).json()
    path = f"/tasks/{task['id']}"
    assert refused(await other.patch(path, json={"tags": ["b", "x", "y"]})) == ["/tags/2"]
    assert (await api.get(path)).json()["tags"] == ["a", "b"]
    assert (await other.patch(path, json={"tags": ["b", "x"]})).status_code == 200
    assert (await api.patch(path, json={"tags": ["c"]})).status_code == 200
    assert refused(await post(api, tags=["c", "d", "e", "f"])) == ["/tags/3"]


@pytest.mark.parametrize(("field", "pointer"), FIELDS)
async def test_those_who_come_at_once_share_what_is_left(
    apis: list[httpx.AsyncClient], field: Any, pointer: str
) -> None:
    answers = await asyncio.gather(*(post(apis[0], **field(f"n{n}")) for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * MOST + [422] * (20 - MOST)
    for answer in answers:
        assert answer.status_code == 201 or refused(answer) == [pointer]


async def test_children_are_counted_too(opened: list[Runtime]) -> None:
    """`context.submit` comes this way."""
    submit = opened[0].submit
    for n in range(MOST):
        await submit.one(CALLER, new(queue=f"q{n}"))
    with pytest.raises(QuotaExceeded, match="3 queues may be in use"):
        await submit.one(CALLER, new(queue="more"))
