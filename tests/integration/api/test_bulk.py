"""Bulk operations: what they do with each task, and how they go on."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.domain.bulk import BATCH
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import OperationNotFound
from taskq_server.domain.events import TaskChanged
from taskq_server.domain.task import Priority, Status
from taskq_server.runtime import Runtime
from tests.integration.api.bulk import begin, check_counts, done, numbers, post, see, stored_many
from tests.integration.api.conftest import Submit
from tests.integration.api.limited import limited
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.test_old_workers import maintenance
from tests.support.namespaces import make_namespaces
from tests.unit.server.factories import (
    all_stored,
    make_tags,
    make_task,
    rows_of,
    running,
    store,
    stored,
)


async def statuses(runtime: Runtime, ids: list[UUID]) -> set[str]:
    return {task.status.value for task in (await all_stored(runtime.database, ids)).values()}


async def test_a_retry_queues_what_failed_and_leaves_the_rest(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    failed = await stored_many(runtime, 450, Status.FAILED, current_retry_count=3)
    others = [
        *await stored_many(runtime, 3, Status.FAILED, handler="taskq.sleep"),
        *await stored_many(runtime, 3, Status.CANCELLED),
    ]
    operation = await begin(api, status="failed", handler="taskq.echo")
    assert operation["state"] == "running"
    assert operation["filter"] == {"status": ["failed"], "handler": ["taskq.echo"]}
    assert numbers(operation) == (0, 0, 0, 0)
    ended = await done(api, runtime, operation)
    assert ended["state"] == "succeeded"
    assert numbers(ended) == (450, 450, 0, 0)
    assert ended["finished_at"] is not None
    assert await statuses(runtime, failed) == {"queued"}
    assert await statuses(runtime, others) == {"failed", "cancelled"}
    task = await stored(runtime.database, failed[17])
    assert (task.current_retry_count, task.version, task.finished_at) == (0, 2, None)
    assert task.score is not None
    await check_counts(runtime)


async def test_a_cancel_ends_what_waits_and_asks_what_runs(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    waiting = await stored_many(runtime, 3, Status.QUEUED)
    held = running()
    await store(runtime.database, held)
    ended_before = await stored_many(runtime, 2, Status.SUCCEEDED)
    ended = await done(api, runtime, await begin(api, "cancel", handler="taskq.echo"))
    assert numbers(ended) == (6, 4, 2, 0)
    assert await statuses(runtime, waiting) == {"cancelled"}
    asked = await stored(runtime.database, held.id)
    assert (asked.status, asked.cancel_requested_at is None) == (Status.RUNNING, False)
    assert await statuses(runtime, ended_before) == {"succeeded"}
    await check_counts(runtime)


async def test_a_delete_takes_tags_along_and_leaves_what_runs(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    tag = (await make_tags(runtime.database, "old"))["old"]
    tasks = [make_task(Status.SUCCEEDED) for _ in range(BATCH + 50)] + [running()]
    await store(runtime.database, *tasks, tagged={task.id: (tag,) for task in tasks})
    ended = await done(api, runtime, await begin(api, "delete", tag="old"))
    assert numbers(ended) == (BATCH + 51, BATCH + 50, 1, 0)
    [left] = await rows_of(runtime.database, tasks_table)
    assert left["id"] == tasks[-1].id
    assert (await api.get("/tags")).json()["items"] == [{"name": "old", "count": 1}]
    await check_counts(runtime)


async def test_an_update_changes_what_is_not_final(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    late = runtime.clock() + timedelta(hours=5)
    waiting = [make_task(run_at=late + timedelta(minutes=n)) for n in range(20)]
    final = make_task(Status.FAILED)
    await store(runtime.database, *waiting, final)
    changes = {"priority": "urgent", "run_at": None, "max_retries": 7}
    operation = await begin(api, "update", handler="taskq.echo", changes=changes)
    assert operation["changes"] == changes
    assert numbers(await done(api, runtime, operation)) == (21, 20, 1, 0)
    for task in (await all_stored(runtime.database, [each.id for each in waiting])).values():
        assert (task.priority, task.max_retries) == (Priority.URGENT, 7)
        assert task.due_at <= runtime.clock()
    assert (await stored(runtime.database, final.id)) == final


async def test_priorities_alone_keep_each_due_time(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    late = runtime.clock() + timedelta(hours=5)
    tasks = [make_task(run_at=late + timedelta(minutes=n)) for n in range(5)]
    await store(runtime.database, *tasks)
    operation = await begin(api, "update", queue="default", changes={"priority": "high"})
    assert numbers(await done(api, runtime, operation)) == (5, 5, 0, 0)
    found = await all_stored(runtime.database, [each.id for each in tasks])
    for before in tasks:
        after = found[before.id]
        assert after.run_at == before.run_at
        assert before.score is not None
        assert after.score == before.score - 30_000


async def test_what_ended_after_it_began_is_skipped_and_what_came_later_is_left_alone(
    api: httpx.AsyncClient, runtime: Runtime, submit: Submit, worker: ScriptedWorker
) -> None:
    runs = await worker.claim((await submit())["id"])
    [failed] = await stored_many(runtime, 1, Status.FAILED)
    retry = await begin(api, status="failed")
    delete = await begin(api, "delete", q="taskq")
    await worker.fail(runs, fatal=True)
    later = await submit(title="taskq later")
    assert numbers(await done(api, runtime, retry)) == (2, 1, 1, 0)
    assert numbers(await see(api, delete)) == (1, 0, 1, 0)
    assert (await stored(runtime.database, runs.id)).status is Status.FAILED
    assert (await stored(runtime.database, failed)).status is Status.QUEUED
    assert (await api.get(f"/tasks/{later['id']}")).status_code == 200


async def test_the_filter_is_judged_again_under_the_lock(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the lock, one task is changed and one is deleted."""
    from taskq_server.services import bulk_work

    ids = await stored_many(runtime, 4, Status.CANCELLED, title="old")
    whole_page = bulk_work.listing.page

    async def page_of_a_moment_ago(connection: Any, wanted: Any) -> Any:
        page = await whole_page(connection, wanted)
        changes = {tasks_table.c.title: "new"}
        await connection.execute(
            tasks_table.update().where(tasks_table.c.id == ids[1]).values(changes)
        )
        await connection.execute(tasks_table.delete().where(tasks_table.c.id == ids[2]))
        return page

    monkeypatch.setattr(bulk_work.listing, "page", page_of_a_moment_ago)
    ended = await done(api, runtime, await begin(api, q="old"))
    assert numbers(ended) == (4, 2, 2, 0)
    assert (await stored(runtime.database, ids[1])).status is Status.CANCELLED


async def test_a_limit_ends_it(api: httpx.AsyncClient, runtime: Runtime) -> None:
    ids = await stored_many(runtime, 300, Status.FAILED)
    ended = await done(api, runtime, await begin(api, status="failed", limit=250))
    assert (ended["state"], numbers(ended)) == ("succeeded", (250, 250, 0, 0))
    assert await statuses(runtime, ids[:250]) == {"queued"}
    assert await statuses(runtime, ids[250:]) == {"failed"}


async def test_filters_that_find_few_go_through_many_rows(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await stored_many(runtime, 2_500, Status.SUCCEEDED)
    [rare] = await stored_many(runtime, 1, Status.SUCCEEDED, title="a rare one")
    ended = await done(api, runtime, await begin(api, "delete", status="succeeded", q="a rare"))
    assert numbers(ended) == (1, 1, 0, 0)
    assert await all_stored(runtime.database, [rare]) == {}


async def test_a_tag_that_nobody_has_finds_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    ended = await done(api, runtime, await begin(api, "delete", tag=["never"]))
    assert (ended["state"], numbers(ended)) == ("succeeded", (0, 0, 0, 0))


async def test_tasks_of_other_namespaces_are_not_its_business(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await make_namespaces(runtime.database, "other")
    [foreign] = await stored_many(runtime, 1, Status.FAILED, namespace="other")
    operation = await begin(api, status="failed")
    assert numbers(await done(api, runtime, operation)) == (0, 0, 0, 0)
    assert (await stored(runtime.database, foreign)).status is Status.FAILED
    there, operation_id = Caller("other"), UUID(operation["id"])
    assert (await runtime.bulk.list(there)).items == []
    for ask in (runtime.bulk.get, runtime.bulk.stop):
        with pytest.raises(OperationNotFound, match=operation["id"]):
            await ask(there, operation_id)
    unknown = await api.get(f"/bulk/{UUID(int=7)}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "operation-not-found")


async def test_it_is_stopped_between_batches(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await stored_many(runtime, 3 * BATCH, Status.FAILED)
    operation = await begin(api, status="failed")
    await runtime.bulk_work.step(UUID(operation["id"]))
    stopped = (await api.post(f"/bulk/{operation['id']}/stop")).json()
    assert (stopped["state"], numbers(stopped)) == ("stopped", (BATCH, BATCH, 0, 0))
    assert stopped["finished_at"] is not None
    assert await done(api, runtime, operation) == stopped
    again = await api.post(f"/bulk/{operation['id']}/stop")
    assert (again.status_code, again.json()) == (200, stopped)
    await check_counts(runtime)


async def test_janitors_at_once_do_nothing_twice(api: httpx.AsyncClient, runtime: Runtime) -> None:
    ids = await stored_many(runtime, 1_000, Status.FAILED)
    operation = await begin(api, status="failed")
    async with limited(runtime, auth="off") as (_, one), limited(runtime, auth="off") as (_, two):
        await asyncio.gather(*(each.bulk_work.sweep() for each in (runtime, one, two)))
    ended = await done(api, runtime, operation)
    assert (ended["state"], numbers(ended)) == ("succeeded", (1_000, 1_000, 0, 0))
    found = await all_stored(runtime.database, ids)
    assert {(task.status, task.version) for task in found.values()} == {(Status.QUEUED, 2)}
    await check_counts(runtime)


async def test_several_operations_go_on_together(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await stored_many(runtime, 250, Status.FAILED)
    await stored_many(runtime, 250, Status.CANCELLED)
    retry, delete = (
        await begin(api, status="failed"),
        await begin(api, "delete", status="cancelled"),
    )
    await runtime.bulk_work.sweep()
    assert numbers(await see(api, retry)) == numbers(await see(api, delete)) == (250, 250, 0, 0)
    assert (await api.get("/bulk?state=running")).json()["items"] == []


async def test_one_that_cannot_go_on_does_not_hold_up_the_others(
    api: httpx.AsyncClient, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    from taskq_server.crud.tables import bulk_operations

    await stored_many(runtime, 1, Status.FAILED)
    broken = await begin(api, status="failed")
    strange = bulk_operations.update().values(filter='{"colour":"red"}')
    await runtime.database.write(lambda c: c.execute(strange))
    good = await begin(api, status="failed")
    assert numbers(await done(api, runtime, good)) == (1, 1, 0, 0)
    assert (await see(api, broken))["state"] == "running"
    assert f"cannot go on with bulk operation {broken['id']}" in caplog.text
    assert (await api.post(f"/bulk/{broken['id']}/stop")).json()["state"] == "stopped"


async def test_changes_are_told_as_those_of_single_tasks_are(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    [failed] = await stored_many(runtime, 1, Status.FAILED)
    told: list[TaskChanged] = []
    with runtime.after_commit.listening(told.extend):
        await done(api, runtime, await begin(api, status="failed"))
    [change] = told
    assert change.after is not None
    assert (change.after.id, change.after.status) == (failed, Status.QUEUED)


async def test_a_key_gives_the_same_operation(api: httpx.AsyncClient, runtime: Runtime) -> None:
    key = {"Idempotency-Key": "once"}
    first = await post(api, status="failed", headers=key)
    again = await post(api, status="failed", headers=key)
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json() == first.json()
    await runtime.bulk_work.sweep()
    assert (await post(api, status="failed", headers=key)).json()["state"] == "succeeded"
    other = await post(api, status="cancelled", headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert len((await api.get("/bulk")).json()["items"]) == 1


async def test_equal_keys_that_come_at_once_begin_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(post(api, status="failed", headers=key) for _ in range(10)))
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["id"] for each in answers}) == 1


async def test_no_more_than_twenty_run_at_a_time(api: httpx.AsyncClient, runtime: Runtime) -> None:
    answers = await asyncio.gather(*(post(api, status="failed") for _ in range(25)))
    assert sorted(each.status_code for each in answers) == [202] * 20 + [409] * 5
    refused = next(each.json() for each in answers if each.status_code == 409)
    assert (refused["code"], "stop one" in refused["detail"]) == ("too-many-operations", True)
    await runtime.bulk_work.sweep()
    await begin(api, status="failed")


async def test_the_list_has_pages(api: httpx.AsyncClient, runtime: Runtime) -> None:
    made = [(await begin(api, status="failed"))["id"] for _ in range(5)]
    await api.post(f"/bulk/{made[1]}/stop")
    first = await api.get("/bulk?limit=3")
    assert [each["id"] for each in first.json()["items"]] == made[:1:-1]
    cursor = first.json()["next_cursor"]
    assert f"cursor={cursor}" in first.headers["Link"]
    second = (await api.get("/bulk", params={"limit": 3, "cursor": cursor})).json()
    assert [each["id"] for each in second["items"]] == made[1::-1]
    assert second["next_cursor"] is None
    stopped = (await api.get("/bulk?state=stopped&state=succeeded")).json()["items"]
    assert [each["id"] for each in stopped] == [made[1]]
    foreign = await api.get("/bulk", params={"state": "stopped", "cursor": cursor})
    assert (foreign.status_code, foreign.json()["code"]) == (422, "invalid-cursor")


async def test_retries_beyond_the_places_fail(runtime: Runtime, worker: ScriptedWorker) -> None:
    await stored_many(runtime, 30, Status.FAILED)
    await stored_many(runtime, 4, Status.QUEUED)
    async with limited(runtime, auth="off", max_waiting=10) as (api, opened):
        operation = await begin(api, status="failed")
        ended = await done(api, opened, operation)
        assert (ended["state"], numbers(ended)) == ("succeeded", (30, 6, 0, 24))
        cancelled = await done(api, opened, await begin(api, "cancel", status="queued"))
        assert numbers(cancelled) == (10, 10, 0, 0)
        again = await done(api, opened, await begin(api, status="failed"))
        assert numbers(again) == (24, 10, 0, 14)
    await check_counts(runtime)


async def test_operations_are_kept_as_long_as_tasks(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    ended, runs = await begin(api, status="failed"), await begin(api, status="failed")
    await runtime.bulk_work.step(UUID(ended["id"]))
    upkeep = maintenance(runtime)
    assert await upkeep.forget_operations(timedelta(hours=1)) == 0
    assert await upkeep.forget_operations(timedelta(hours=-1)) == 1
    left = (await api.get("/bulk")).json()["items"]
    assert [each["id"] for each in left] == [runs["id"]]
