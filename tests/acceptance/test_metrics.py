"""A mixed load on two APIs and three workers: their metrics against the database and the load."""

import asyncio
from collections import Counter
from typing import Any

import httpx
from sqlalchemy import text

from taskq_server.core.database import Connection, Database
from tests.support.metrics import parsed
from tests.support.ports import free_port
from tests.support.stack import NewStack
from tests.support.waiting import eventually

Page = dict[str, dict[tuple[tuple[str, str], ...], float]]
LISTENED = ("default", "mail")
ROUNDS = 12
WORKERS = 3


class Load:
    """Callers of both APIs, who note what they did.

    Attributes:
        requests: by route, method and status.
        results: submits of single tasks by result.
        changes: of the status, by the status before and after.
    """

    def __init__(self, apis: list[httpx.AsyncClient]) -> None:
        self._apis = apis
        self.requests: Counter[tuple[str, ...]] = Counter()
        self.results: Counter[tuple[str, ...]] = Counter()
        self.changes: Counter[tuple[str, ...]] = Counter()

    async def ask(self, number: int, method: str, route: str, **more: Any) -> httpx.Response:
        task = more.pop("task", "")
        api = self._apis[number % len(self._apis)]
        response = await api.request(method, route.replace("{task_id}", task), **more)
        self.requests[route, method, str(response.status_code)] += 1
        return response

    async def submit(self, number: int, handler: str, payload: object, **more: Any) -> str:
        headers = more.pop("headers", {})
        body = {"handler": handler, "payload": payload, **more}
        response = await self.ask(number, "POST", "/tasks", json=body, headers=headers)
        result = {201: "created", 200: "replayed", 422: "refused"}[response.status_code]
        self.results[(result,)] += 1
        return str(response.json().get("id", ""))

    async def round(self, number: int) -> None:
        """Do a bit of everything."""
        queue = LISTENED[number % 2]
        echo = ("taskq.echo", {"value": number})
        for _ in range(5):
            await self.submit(number, *echo, queue=queue)
        await self.submit(number, "taskq.flaky", {"failures": 1}, backoff_base_seconds=0.1)
        await self.submit(number, "taskq.echo", {})
        await self.submit(number, "tests.parent", {"children": 2})
        for turn in range(3):
            key = {"Idempotency-Key": f"once {number}"}
            await self.submit(number + turn, *echo, headers=key)
        batch = {"items": [{"handler": echo[0], "payload": echo[1], "queue": queue}] * 7}
        await self.ask(number, "POST", "/tasks/batch", json=batch)
        later = await self.submit(number, *echo, queue=f"made-up-{number}", delay_seconds=3600)
        for change, statuses in (("cancel", "queued cancelled"), ("retry", "cancelled queued")):
            await self.ask(number, "POST", f"/tasks/{{task_id}}/{change}", task=later)
            self.changes[tuple(statuses.split())] += 1
        failed = await self.submit(number, "tests.fatal", {}, headers={"Prefer": "wait=60"})
        await self.ask(number, "GET", "/tasks/{task_id}?wait=60", task=failed)
        await self.ask(number, "POST", "/tasks/{task_id}/retry", task=failed)
        self.changes["failed", "queued"] += 1


async def test_the_numbers_are_those_of_the_database(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", workers=0, settings={"TASKQ_QUEUES": ",".join(LISTENED)})
    stack.start_api(port=(port := free_port()))
    ports = [free_port() for _ in range(WORKERS)]
    for each in ports:
        stack.start_worker({"TASKQ_METRICS_ADDRESS": str(each)})
    database = Database(stack.database_url)
    urls = (stack.api_url, *(f"http://127.0.0.1:{each}" for each in (port, *ports)))
    clients = [httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) for url in urls]
    apis, workers = clients[:2], clients[2:]
    try:
        for each in workers:
            await eventually(lambda each=each: is_ready(each), "a worker is ready", 180)  # type: ignore[misc]
        load = Load(apis)
        await asyncio.gather(*map(load.round, range(ROUNDS)))

        async def is_quiet() -> bool:
            found = await counted(database, "SELECT status, COUNT(*) FROM tasks GROUP BY status")
            return found.keys() <= {("queued",), ("succeeded",), ("failed",)} and (
                found["queued",] == ROUNDS
            )

        await eventually(is_quiet, "the end of the load", 180)
        pages = [parsed((await api.get("/metrics")).text) for api in apis]
        worked = [parsed((await worker.get("/metrics")).text) for worker in workers]
        await check_submits(database, load, pages, worked)
        await check_attempts(database, worked)
        for page in pages:
            await check_facts(database, page)
    finally:
        for client in clients:
            await client.aclose()
        await database.close()


async def is_ready(worker: httpx.AsyncClient) -> bool:
    try:
        return (await worker.get("/readyz")).is_success
    except httpx.TransportError:
        return False


async def check_submits(
    database: Database, load: Load, pages: list[Page], worked: list[Page]
) -> None:
    created: Counter[tuple[str, ...]] = Counter()
    stored = await counted(database, "SELECT handler, queue, COUNT(*) FROM tasks GROUP BY 1, 2")
    for (handler, queue), tasks in stored.items():
        created[handler, queue if queue in LISTENED else "other"] += tasks
    # Workers count the children of `tests.parent`, because they submit them.
    found = summed(worked, "taskq_submits_total", "handler", "queue", result="created")
    assert found == {("taskq.echo", "default"): 2 * ROUNDS}
    found += summed(pages, "taskq_submits_total", "handler", "queue", result="created")
    assert found == created
    single = summed(pages, "taskq_group_commit_size_sum", "group", group="submits")
    assert single["submits",] == load.results["created",] + load.results["replayed",]
    refused = summed(pages, "taskq_submits_total", "result")
    assert {key: refused[key] for key in (("replayed",), ("refused",))} == {
        key: load.results[key] for key in (("replayed",), ("refused",))
    }
    requests = summed(pages, "taskq_http_request_seconds_count", "route", "method", "status")
    assert {key: n for key, n in requests.items() if key[0].startswith("/tasks")} == {
        (route.partition("?")[0], *rest): n for (route, *rest), n in load.requests.items()
    }
    assert summed(pages, "taskq_transitions_total", "from", "to") == load.changes


async def check_attempts(database: Database, worked: list[Page]) -> None:
    of_tasks = "FROM task_attempts JOIN tasks ON tasks.id = task_id"
    ended = await counted(
        database, f"SELECT tasks.handler, outcome, COUNT(*) {of_tasks} GROUP BY 1, 2"
    )
    assert ended["tests.fatal", "failed"] == 2 * ROUNDS
    assert summed(worked, "taskq_attempts_total", "handler", "outcome") == ended
    assert summed(worked, "taskq_run_seconds_count", "handler", "outcome") == ended
    picked_up = await counted(database, f"SELECT queue, COUNT(*) {of_tasks} GROUP BY 1")
    assert summed(worked, "taskq_pickup_seconds_count", "queue") == picked_up
    retried = await counted(
        database,
        f"SELECT tasks.handler, COUNT(*) {of_tasks} WHERE retry_at IS NOT NULL GROUP BY 1",
    )
    assert retried["taskq.flaky",] == ROUNDS
    assert +summed(worked, "taskq_retries_total", "handler") == retried
    moved = summed(worked, "taskq_transitions_total", "from", "to")
    assert moved == {
        ("queued", "running"): picked_up.total() - retried.total(),
        ("retrying", "running"): retried.total(),
        ("running", "retrying"): retried.total(),
        ("running", "succeeded"): sum(n for (_, how), n in ended.items() if how == "succeeded"),
        ("running", "failed"): 2 * ROUNDS,
    }
    assert all(summed([page], "taskq_attempts_total") for page in worked), "each has worked"


async def check_facts(database: Database, page: Page) -> None:
    query = "SELECT namespace, queue, status, COUNT(*) FROM tasks GROUP BY namespace, queue, status"
    depth: Counter[tuple[str, ...]] = Counter()
    for (namespace, queue, status), tasks in (await counted(database, query)).items():
        if status in ("queued", "running", "retrying"):
            depth[namespace, queue if queue in LISTENED else "other", status] += tasks
    shown = summed([page], "taskq_queue_depth", "namespace", "queue", "status")
    assert +shown == depth
    assert summed([page], "taskq_workers") == {(): WORKERS}
    assert summed([page], "taskq_waiters") == summed([page], "taskq_sse_streams") == {(): 0}


async def counted(database: Database, query: str) -> Counter[tuple[str, ...]]:
    async def read(connection: Connection) -> Counter[tuple[str, ...]]:
        rows = await connection.execute(text(query))
        return Counter({tuple(row[:-1]): row[-1] for row in rows})

    return await database.read(read)


def summed(pages: list[Page], name: str, *labels: str, **only: str) -> Counter[tuple[str, ...]]:
    """Return the sums of a name over all processes, by some of its labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for page in pages:
        for sample, value in page.get(name, {}).items():
            of = dict(sample)
            if all(of[label] == wanted for label, wanted in only.items()):
                found[tuple(of[label] for label in labels)] += int(value)
    return found
