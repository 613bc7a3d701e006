"""Each cell of docs/scopes.md: each operation, with a key of each scope alone."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx
import pytest

from taskq_server.api.access import ACCESS
from taskq_server.domain import scopes
from taskq_server.domain.caller import Caller
from taskq_server.domain.keys import Token
from taskq_server.domain.requests import NewTask
from taskq_server.runtime import Runtime
from taskq_server.services.submission import IdempotencyKey
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.operations import (
    ABOUT_TASKS,
    OF_NAMESPACES,
    OTHERS,
    SUBMITS,
    Operation,
    State,
)
from tests.integration.api.scoped import (
    SECRET,
    make_failed,
    make_succeeded,
    publish_in,
    task_of,
)
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tools.docs.scopes_page import SCOPES, Cell, cell

RUN = "tasks:run:taskq.*"
HANDLERS = ["taskq.echo", "taskq.flaky", "taskq.sleep"]


class Seen(NamedTuple):
    """The status of an answer, and whether it has the contents of a task."""

    status: int
    in_full: bool = False


NOT_FOUND, FORBIDDEN = Seen(404), Seen(403)
OF_TASKS: dict[Cell, Callable[[int], tuple[Seen, Seen, Seen]]] = {
    Cell.NO: lambda _: (FORBIDDEN, FORBIDDEN, FORBIDDEN),
    Cell.YES: lambda ok: (Seen(ok, True), Seen(ok, True), NOT_FOUND),
    Cell.OWN: lambda ok: (Seen(ok, True), NOT_FOUND, NOT_FOUND),
    Cell.OUTLINES: lambda ok: (Seen(ok, True), Seen(ok), NOT_FOUND),
    Cell.WITH_RUN: lambda _: (FORBIDDEN, FORBIDDEN, NOT_FOUND),
}
"""What a key gets of a task of its own, of a foreign one, and of one in another namespace."""


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    await publish_in(runtime, "theirs")
    async with calling_closed(runtime) as client:
        yield client


async def ask(
    api: httpx.AsyncClient, operation: Operation, key: Token, about: str = "", **headers: str
) -> httpx.Response:
    body = operation.body and json.loads(json.dumps(operation.body).replace("{id}", about))
    path = operation.path.replace("{id}", about)
    return await api.request(operation.method, path, json=body, headers={**shown(key), **headers})


def seen(response: httpx.Response) -> Seen:
    if response.status_code == 403:
        assert response.json()["errors"][0]["code"] == "missing-scope"
    return Seen(response.status_code, SECRET in response.text or "no luck" in response.text)


async def key_with(runtime: Runtime, *names: str) -> Token:
    return await make_key(runtime, *(RUN if name == scopes.RUN else name for name in names))


async def task_in(
    runtime: Runtime, worker: ScriptedWorker, key: Token, namespace: str, state: State
) -> str:
    task_id = await task_of(runtime, key, namespace)
    match state:
        case "queued":
            pass
        case "retrying":
            await worker.fail(await worker.claim(task_id))
        case "failed":
            await make_failed(worker, task_id)
        case "succeeded":
            await make_succeeded(runtime, worker, task_id)
    return task_id


def test_every_operation_of_the_matrix_is_asked_for() -> None:
    assert ACCESS.keys() <= {**ABOUT_TASKS, **SUBMITS, **OF_NAMESPACES, **OTHERS}.keys()


@pytest.mark.parametrize("name", ABOUT_TASKS)
async def test_operations_about_a_task(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, name: str
) -> None:
    operation, other = ABOUT_TASKS[name], await make_key(runtime, "tasks:read")

    async def check(key: Token, expected: Cell) -> None:
        state = "queued" if expected is Cell.NO else operation.state
        ids = [
            await task_in(runtime, worker, key, "default", state),
            await task_in(runtime, worker, other, "default", state),
            await task_in(runtime, worker, key, "theirs", "queued"),
        ]
        got = tuple([seen(await ask(closed, operation, key, each)) for each in ids])
        answers = OF_TASKS[expected](operation.status)
        assert got == tuple(each._replace(in_full=_has_body(each)) for each in answers), expected

    for scope in SCOPES:
        expected = cell(ACCESS[name], scope)
        await check(await key_with(runtime, scope), expected)
        if expected is Cell.WITH_RUN:
            await check(await key_with(runtime, scope, scopes.RUN), Cell.OUTLINES)


def _has_body(answer: Seen) -> bool:
    return answer.in_full and answer.status != 204


@pytest.mark.parametrize("name", SUBMITS)
async def test_submits_and_their_replays(
    closed: httpx.AsyncClient, runtime: Runtime, name: str
) -> None:
    operation, other = SUBMITS[name], await make_key(runtime, "tasks:read")
    new = NewTask(handler="taskq.echo", payload={"value": SECRET})

    async def submit(namespace: str, token: Token, key: str) -> None:
        caller = Caller(namespace, key_id=token.id)
        once = IdempotencyKey.of(key, json.loads(json.dumps(operation.body)))
        await runtime.submit.batch(caller, [new, new] if name == "submit_many" else [new], key=once)

    for scope in SCOPES:
        key = await key_with(runtime, scope)
        await submit("default", key, f"own {key.id}")
        await submit("default", other, f"foreign {key.id}")
        await submit("theirs", other, f"theirs {key.id}")
        got = [
            seen(await ask(closed, operation, key, **{"Idempotency-Key": f"{whose} {key.id}"}))
            for whose in ("own", "foreign", "theirs")
        ]
        match cell(ACCESS[name], scope):
            case Cell.NO:
                assert got == [FORBIDDEN] * 3, scope
            case Cell.OUTLINES:
                # The key is taken in another namespace only, so that the task is a new one.
                assert got == [Seen(200, True), Seen(200), Seen(201, True)], scope
            case odd:
                pytest.fail(f"what is {odd} for a submit?")


READ_OF: dict[str, Callable[[Any], Any]] = {
    "list": lambda body: [one["id"] for one in body["items"]],
    "tags": lambda body: [(one["name"], one["count"]) for one in body["items"]],
    "stats": lambda body: (body["tasks"]["queued"], len(body["queues"])),
    "stats_events": lambda body: (body["tasks"]["queued"], len(body["queues"])),
    "stats_history": lambda body: [sum(one["failed"]) for one in body["queues"].values()],
    "failures": lambda body: [(one["failed"], one["example"]) for one in body["items"]],
    "handlers": lambda body: [one["name"] for one in body["items"]],
    "workers": lambda body: [
        (one["name"], len(one["running"]), one["handlers"]) for one in body["items"]
    ],
    "queues": lambda body: [(one["name"], one["depth"]) for one in body["items"]],
    "pause_queue": lambda body: (body["depth"], body["paused"]),
    "resume_queue": lambda body: (body["depth"], body["paused"]),
    "openapi": lambda body: body["components"]["schemas"]["TaskCreate"]["properties"][
        "handler"
    ].get("examples", []),
}


def _body(response: httpx.Response) -> Any:
    """What an answer says, or the first event of a stream."""
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response.json()
    lines = response.text.splitlines()
    return json.loads(next(each for each in lines if each.startswith("data: "))[6:])


@pytest.mark.parametrize("name", OF_NAMESPACES)
async def test_operations_about_a_namespace(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, name: str
) -> None:
    other = await make_key(runtime, "tasks:read")
    task_id = await task_of(runtime, other)
    for _ in range(2):
        await task_of(runtime, other, "theirs")
    if name == "workers":
        await add_worker(runtime, worker_id=worker.id, handlers=HANDLERS)
        await worker.claim(task_id)
    if name in ("stats_history", "failures"):
        await make_failed(worker, task_id)
    whole = {
        "list": [task_id],
        "tags": [("mine", 1)],
        "stats": (1, 1),
        "stats_events": (1, 1),
        "stats_history": [1],
        "failures": [(1, task_id)],
        "handlers": HANDLERS,
        "workers": [("host:1", 1, HANDLERS)],
        "queues": [("default", 1)],
        "pause_queue": (1, True),
        "resume_queue": (1, False),
        "openapi": HANDLERS,
    }[name]
    for scope in SCOPES:
        response = await ask(closed, OF_NAMESPACES[name], await key_with(runtime, scope))
        expected = cell(ACCESS[name], scope)
        if expected is Cell.NO:
            assert seen(response) == FORBIDDEN, scope
            continue
        assert response.status_code == 200
        read = READ_OF[name](_body(response))
        if expected is Cell.LEFT_OUT:
            assert read == [("host:1", 0, [])]
            continue
        assert expected in (Cell.YES, Cell.HANDLERS, Cell.NO_HANDLERS)
        assert read == ([] if expected is Cell.NO_HANDLERS else whole), scope


@pytest.mark.parametrize("name", sorted(OTHERS.keys() & ACCESS.keys()))
async def test_operations_about_neither(
    closed: httpx.AsyncClient, runtime: Runtime, name: str
) -> None:
    other = await make_key(runtime, "admin")
    for scope in SCOPES:
        response = await ask(closed, OTHERS[name], await key_with(runtime, scope), other.id)
        expected = cell(ACCESS[name], scope)
        assert expected in (Cell.YES, Cell.NO, Cell.OPERATOR, Cell.WITH_MORE)
        allowed = OTHERS[name].status if expected is Cell.YES else 403
        assert response.status_code == allowed, (scope, response.text)
