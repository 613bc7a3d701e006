"""The numbers that `GET /metrics` shows of a process, against what its callers did."""

import asyncio

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.callers import Caller
from tests.integration.api.conftest import Submit
from tests.integration.api.fleet import labels, listen, scrape, values
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.mariadb import MariaDBServer
from tests.support.metrics import parsed
from tests.support.waiting import eventually

ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}
SUBMITS = "taskq_submits_total"
REQUESTS = "taskq_http_request_seconds_count"


async def test_submits_are_counted_by_handler_queue_and_result(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    await listen(runtime, "default", "mail")
    for _ in range(3):
        await submit(queue="mail")
    key = {"Idempotency-Key": "once"}
    statuses = [(await api.post("/tasks", json=ECHO, headers=key)).status_code for _ in range(2)]
    batch = {"items": [ECHO, ECHO]}
    for _ in range(2):
        answer = await api.post("/tasks/batch", json=batch, headers={"Idempotency-Key": "all"})
        statuses.append(answer.status_code)
    for body in ({**ECHO, "handler": "nobody.has.this"}, {**ECHO, "payload": {}}):
        statuses.append((await api.post("/tasks", json=body)).status_code)
    assert statuses == [201, 200, 201, 200, 422, 422]
    found = values(await scrape(api), SUBMITS, "handler", "queue", "result")
    assert found == {
        ("taskq.echo", "mail", "created"): 3,
        ("taskq.echo", "default", "created"): 1 + 2,
        ("taskq.echo", "default", "replayed"): 1 + 2,
        ("taskq.echo", "default", "refused"): 1,
        ("other", "default", "refused"): 1,
    }


async def test_equal_keys_at_the_same_time_make_one_task(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    key = {"Idempotency-Key": "once"}
    await asyncio.gather(*(api.post("/tasks", json=ECHO, headers=key) for _ in range(10)))
    found = values(await scrape(api), SUBMITS, "result")
    assert found == {("created",): 1, ("replayed",): 9}


async def test_a_submit_is_counted_though_its_caller_was_cancelled(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    async def cancelled_after(turns: int) -> None:
        submit = asyncio.create_task(api.post("/tasks", json=ECHO))
        for _ in range(turns):
            await asyncio.sleep(0)
        submit.cancel()
        await asyncio.gather(submit, return_exceptions=True)

    await asyncio.gather(*map(cancelled_after, range(200)))
    await runtime.submit.close()
    stored = (await api.get("/stats")).json()["tasks"]["queued"]
    assert stored > 0
    assert values(await scrape(api), SUBMITS, "result") == {("created",): stored}


async def test_no_name_that_a_caller_made_up_is_a_label(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    await listen(runtime, "reports")
    for _ in range(2):
        await submit(queue="made-up", title="secret-title", tags=["secret-tag"])
    await api.get("/secret-path")
    await api.request("SECRET", "/tasks")
    await submit(queue="reports")
    page = await scrape(api)
    assert values(page, SUBMITS, "queue") == {("other",): 2, ("reports",): 1}
    text = (await api.get("/metrics")).text.lower()
    assert "made-up" not in text
    assert "secret" not in text


async def test_a_queue_keeps_its_name_when_its_worker_is_gone(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    await listen(runtime, "reports", is_gone=True)
    await submit(queue="reports")
    page = await scrape(api)
    assert values(page, SUBMITS, "queue") == {("reports",): 1}
    assert labels(page, "taskq_queue_depth", "queue") == {"reports"}


async def test_requests_are_counted_by_route_method_and_status(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    task = (await submit())["id"]
    await api.post("/tasks", json=ECHO, headers={"Prefer": "x"})  # past the fast path
    await api.get(f"/tasks/{task}")
    await api.head(f"/tasks/{task}")
    await api.get("/tasks/0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")
    await api.put("/tasks")
    await api.get("/nowhere")
    await api.get("/livez")
    found = values(await scrape(api), REQUESTS, "route", "method", "status")
    assert found == {
        ("/tasks", "POST", "201"): 2,
        ("/tasks/{task_id}", "GET", "200"): 1,
        ("/tasks/{task_id}", "HEAD", "200"): 1,
        ("/tasks/{task_id}", "GET", "404"): 1,
        ("other", "PUT", "405"): 1,
        ("other", "GET", "404"): 1,
        ("/livez", "GET", "200"): 1,
    }


async def test_the_time_for_which_a_caller_asks_to_wait_does_not_count(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    task = (await submit())["id"]
    await api.get(f"/tasks/{task}?wait=1.5")
    await api.post("/tasks", json=ECHO, headers={"Prefer": "wait=1"})
    await api.post("/tasks/wait", json={"ids": [task], "timeout_seconds": 1.5})
    page = await scrape(api)
    waited = values(page, "taskq_http_request_seconds_sum", "route")
    assert waited.keys() >= {("/tasks",), ("/tasks/{task_id}",), ("/tasks/wait",)}
    assert sum(waited.values()) < 1


async def test_those_who_wait_and_follow_are_counted(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    task = (await submit())["id"]
    app = create_app(runtime=runtime)
    paths = [f"/tasks/{task}?wait=60", *[f"/tasks/{task}/events"] * 2]
    callers = [Caller() for _ in paths]
    served = [caller.get(app, path) for caller, path in zip(callers, paths, strict=True)]
    async with asyncio.timeout(60):
        for caller in callers:
            await caller.waits.wait()
        page = await scrape(api)
        assert values(page, "taskq_waiters") == {(): 1}
        assert values(page, "taskq_sse_streams") == {(): 2}
        for caller in callers:
            caller.hangs_up.set()
        await asyncio.gather(*served, return_exceptions=True)
    page = await scrape(api)
    assert values(page, "taskq_waiters") == values(page, "taskq_sse_streams") == {(): 0}


async def test_group_commits_tell_their_sizes(api: httpx.AsyncClient, submit: Submit) -> None:
    await asyncio.gather(*(submit() for _ in range(30)))
    page = await scrape(api)
    assert values(page, "taskq_group_commit_size_sum", group="submits") == {(): 30}
    batches = values(page, "taskq_group_commit_size_count", group="submits")
    assert 1 <= batches[()] <= 30
    assert values(page, "taskq_group_commit_seconds_count", group="submits") == batches
    assert "unnamed" not in labels(page, "taskq_group_commit_size_count", "group")


async def test_changes_of_the_status_are_counted(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task = (await submit())["id"]
    await api.patch(f"/tasks/{task}", json={"title": "changes no status"})
    for change in ("cancel", "retry", "cancel"):
        assert (await api.post(f"/tasks/{task}/{change}")).status_code == 200
    assert values(await scrape(api), "taskq_transitions_total", "handler", "from", "to") == {
        ("taskq.echo", "queued", "cancelled"): 2,
        ("taskq.echo", "cancelled", "queued"): 1,
    }


async def test_the_event_loop_is_measured(api: httpx.AsyncClient) -> None:
    async def is_measured() -> bool:
        return values(await scrape(api), "taskq_event_loop_lag_seconds_count")[()] > 0

    await eventually(is_measured, "a measurement")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html;version=\t", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "application/openmetrics-text; version=x; escaping=allow-utf-8",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
async def test_the_caller_chooses_the_format(
    api: httpx.AsyncClient, accept: str, media_type: str
) -> None:
    response = await api.get("/metrics", headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["cache-control"] == "no-store"
    assert "_created" not in response.text
    if media_type.startswith("application"):
        names = {each.name for each in text_string_to_metric_families(response.text)}
        assert {"taskq_submits", "taskq_queue_depth", "process_cpu_seconds"} <= names


async def test_only_an_operator_with_the_scope_reads_them(runtime: Runtime) -> None:
    operators = await make_key(runtime, "metrics:read", namespace="*")
    async with calling_closed(runtime) as api:
        answers = [
            await api.get("/metrics", headers=shown(key))
            for key in (
                operators,
                await make_key(runtime, "metrics:read"),
                await make_key(runtime, "admin", "tasks:read", namespace="*"),
            )
        ]
        assert [each.status_code for each in answers] == [200, 403, 403]
        codes = [each.json()["errors"][0]["code"] for each in answers[1:]]
        assert codes == ["operators-only", "missing-scope"]
        assert (await api.get("/metrics")).status_code == 401
        head = await api.head("/metrics", headers=shown(operators))
        assert (head.status_code, head.headers["content-type"][:10]) == (200, "text/plain")
        named = {**shown(operators), "Taskq-Namespace": "default"}
        assert (await api.get("/metrics", headers=named)).status_code == 200


async def test_without_the_database_the_numbers_of_the_process_are_shown(redis_url: str) -> None:
    away = "mysql+asyncmy://nobody@127.0.0.1:1/taskq"
    settings = Settings(database_url=away, redis_url=redis_url, auth="off")
    async with open_runtime(settings) as runtime:
        transport = httpx.ASGITransport(create_app(runtime=runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
            assert (await api.post("/tasks", json=ECHO)).status_code == 503
            page = await scrape(api)
    assert values(page, REQUESTS, route="/tasks", status="503") == {(): 1}
    assert values(page, "taskq_database_errors_total", kind="away")[()] > 0
    assert "taskq_queue_depth" not in page
    assert "taskq_workers" not in page


async def test_a_known_key_reads_them_while_the_database_is_away() -> None:
    with MariaDBServer(flush_log=2) as server, server.database() as url:
        settings = Settings(database_url=url, database_connect_seconds=1)
        async with open_runtime(settings) as runtime:
            await migrations.upgrade(runtime.database)
            operators, unknown, tenants = [
                shown(await make_key(runtime, "metrics:read", namespace=namespace))
                for namespace in ("*", "*", "default")
            ]
            async with calling_closed(runtime) as api:
                assert (await api.get("/metrics", headers=operators)).status_code == 200
                assert (await api.get("/metrics", headers=tenants)).status_code == 403
                server.kill()

                async def is_forgotten() -> bool:
                    return (await api.get("/docs", headers=operators)).status_code == 503

                await eventually(is_forgotten, "what the database said last is too old", 20)
                found = await api.get("/metrics", headers=operators)
                others = [
                    (await api.get("/metrics", headers=headers)).status_code
                    for headers in (tenants, unknown, {})
                ]
    assert found.status_code == 200
    assert values(parsed(found.text), "taskq_database_errors_total", kind="away")[()] > 0
    assert others == [403, 503, 401]


async def test_errors_of_redis_and_uncounted_requests_are_counted(migrated_url: str) -> None:
    away = "redis://127.0.0.1:1"
    settings = Settings(database_url=migrated_url, redis_url=away, auth="required")
    async with open_runtime(settings) as runtime:
        limited = await make_key(runtime, "admin", rate_limit="1/minute")
        operators = await make_key(runtime, "metrics:read", namespace="*")
        transport = httpx.ASGITransport(create_app(runtime=runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
            for _ in range(3):
                answer = await api.get("/keys/self", headers=shown(limited))
                assert answer.status_code == 200
            api.headers.update(shown(operators))
            page = await scrape(api)
    assert values(page, "taskq_limiter_skipped_total") == {(): 3}
    errors = values(page, "taskq_redis_errors_total", "kind")
    assert errors.pop(("away",)) > 0
    assert errors == {("refused",): 0}
