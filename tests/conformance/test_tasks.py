"""Rows of tasks: insert, read, lock, change, delete."""

from typing import Any
from uuid import UUID

from taskq_server.core.database import Database
from taskq_server.crud import tasks
from taskq_server.crud.pairs import Named
from taskq_server.crud.tables import attempts, task_tags
from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain import lifecycle
from taskq_server.domain.task import Priority, Status, Task, TaskDetails
from tests.unit.server.factories import (
    NOW,
    WORKER,
    make_tags,
    make_task,
    rows_of,
    running,
    seconds,
    store,
    stored,
)
from tests.unit.server.rows import end

FULL: dict[str, Any] = dict(
    description="about it",
    payload='{"deep":{"ünïcode":"☃","list":[1,2.5,null]}}',
    priority=Priority.URGENT,
    queue="other",
    run_at=NOW + seconds(1.25),
    backoff_base_seconds=0.5,
    backoff_max_seconds=9.5,
    progress='{"current":1}',
    cancel_requested_at=NOW,
    traceparent="00-abc",
    current_retry_count=2,
    lost_count=1,
    attempt=4,
    version=17,
    worker_id=WORKER,
)


async def insert(database: Database, *rows: NewRow) -> dict[Named, KeyHolder]:
    return await database.write(lambda c: tasks.insert(c, rows))


async def read(
    database: Database, *ids: UUID, namespace: str = "default"
) -> dict[UUID, TaskDetails]:
    wanted = [(namespace, task_id) for task_id in ids]
    found = await database.read(lambda c: tasks.details(c, wanted))
    return {task_id: details for (_, task_id), details in found.items()}


async def test_every_field_survives(database: Database) -> None:
    written = [make_task(status, **FULL) for status in Status]
    await store(database, *written)
    found = await read(database, *(task.id for task in written))
    assert [found[task.id].task for task in written] == written


async def test_snapshots_carry_tags_by_name_and_attempts_in_order(database: Database) -> None:
    ids = await make_tags(database, "b", "a", "c")
    task, plain = running(attempt=2), make_task()
    await store(database, task, plain, tagged={task.id: [ids["b"], ids["a"]]})
    retrying = await end(database, lifecycle.release(task, now=NOW))
    again = retrying._replace(status=Status.RUNNING, attempt=3, worker_id=WORKER)
    await end(database, lifecycle.succeed(again, result="3", now=NOW + seconds(1)))

    found = await read(database, task.id, plain.id)
    assert found[task.id].tags == ("a", "b")
    assert [attempt.attempt for attempt in found[task.id].attempts] == [2, 3]
    assert found[plain.id] == TaskDetails(plain, (), ())


async def test_snapshots_leave_out_what_is_missing_or_of_another_namespace(
    database: Database,
) -> None:
    mine, theirs = make_task(), make_task(namespace="theirs")
    await store(database, mine)
    await store(database, theirs)
    assert set(await read(database, mine.id, theirs.id, UUID(int=1))) == {mine.id}
    assert set(await read(database, theirs.id, namespace="theirs")) == {theirs.id}


async def test_an_idempotency_key_has_one_holder(database: Database) -> None:
    first, second, free = make_task(), make_task(), make_task()
    holders = await insert(database, NewRow(first, (), "hash", "body"))
    assert holders == {("default", "hash"): KeyHolder(first.id, "body")}

    holders = await insert(
        database, NewRow(second, (), "hash", "other body"), NewRow(free, (), "free", "x")
    )
    assert holders == {
        ("default", "hash"): KeyHolder(first.id, "body"),
        ("default", "free"): KeyHolder(free.id, "x"),
    }
    assert {row["id"] for row in await rows_of(database, tasks_table)} == {first.id, free.id}


async def test_equal_keys_in_one_batch_the_first_leads(database: Database) -> None:
    ids = await make_tags(database, "first", "second")
    first, second = make_task(), make_task()
    holders = await insert(
        database,
        NewRow(second, (ids["second"],), "hash", "2"),
        NewRow(first, (ids["first"],), "hash", "1"),
    )
    assert holders == {("default", "hash"): KeyHolder(first.id, "1")}
    links = await rows_of(database, task_tags)
    assert [(row["task_id"], row["tag_id"]) for row in links] == [(first.id, ids["first"])]


async def test_rows_without_a_key_are_all_inserted(database: Database) -> None:
    new = [make_task() for _ in range(3)]
    assert await insert(database, *(NewRow(task) for task in new)) == {}
    assert len(await rows_of(database, tasks_table)) == 3


async def test_a_key_belongs_to_its_namespace(database: Database) -> None:
    mine, theirs = make_task(), make_task(namespace="theirs")
    await insert(database, NewRow(mine, (), "hash", "x"))
    holders = await insert(database, NewRow(theirs, (), "hash", "x"))
    assert holders == {("theirs", "hash"): KeyHolder(theirs.id, "x")}


async def test_one_insert_stores_tasks_of_hundreds_of_namespaces(database: Database) -> None:
    first = [make_task(namespace=f"n{n}") for n in range(500)]
    await insert(database, *(NewRow(task, (), "hash", task.namespace) for task in first[::2]))
    again = [NewRow(task, (), "hash", task.namespace) for task in first]
    late = [make_task(namespace=task.namespace) for task in first]
    holders = await insert(database, *again)
    assert holders == await insert(database, *(NewRow(task, (), "hash", "late") for task in late))
    assert holders == {
        (task.namespace, "hash"): KeyHolder(task.id, task.namespace) for task in first
    }
    found = await read(database, *(task.id for task in first), namespace="n3")
    assert set(found) == {first[3].id}


async def test_lock_returns_what_exists_with_or_without_payload(database: Database) -> None:
    one, two = make_task(), make_task()
    await store(database, one, two)
    wanted = [two.id, one.id, UUID(int=1), one.id]
    assert await database.write(lambda c: tasks.lock(c, wanted)) == {one.id: one, two.id: two}
    light = await database.write(lambda c: tasks.lock(c, wanted, payload=False))
    assert light[one.id] == one._replace(payload="")


async def test_write_changes_what_differs_and_no_other_task(database: Database) -> None:
    before, bystander = make_task(**FULL), make_task()
    await store(database, before, bystander)
    light = before._replace(payload="")
    after = light._replace(title="new", description=None, version=18)
    await database.write(lambda c: tasks.write(c, light, after))
    assert await stored(database, before.id) == before._replace(
        title="new", description=None, version=18
    )
    assert await stored(database, bystander.id) == bystander


async def test_write_of_no_difference_is_nothing(database: Database) -> None:
    task = make_task()
    await store(database, task)
    await database.write(lambda c: tasks.write(c, task, task))
    assert await stored(database, task.id) == task


async def test_set_tags_replaces_them(database: Database) -> None:
    ids = await make_tags(database, "a", "b", "c")
    task, bystander = make_task(), make_task()
    both = {task.id: [ids["a"], ids["b"]], bystander.id: [ids["a"]]}
    await store(database, task, bystander, tagged=both)

    async def set_to(*names: str) -> None:
        chosen = [ids[name] for name in names]
        await database.write(lambda c: tasks.set_tags(c, task.id, chosen, NOW))

    await set_to("c", "b")
    found = await read(database, task.id, bystander.id)
    assert (found[task.id].tags, found[bystander.id].tags) == (("b", "c"), ("a",))
    await set_to()
    assert (await read(database, task.id))[task.id].tags == ()


async def test_remove_takes_attempts_and_tags_along(database: Database) -> None:
    ids = await make_tags(database, "a")
    gone, kept = running(), running()
    await store(database, gone, kept, tagged={gone.id: [ids["a"]], kept.id: [ids["a"]]})
    for task in (gone, kept):
        await end(database, lifecycle.succeed(task, result="1", now=NOW))
    await database.write(lambda c: tasks.remove(c, [gone], NOW))
    for table, column in ((tasks_table, "id"), (attempts, "task_id"), (task_tags, "task_id")):
        assert [row[column] for row in await rows_of(database, table)] == [kept.id]


async def test_tag_names_of_nothing_is_nothing(database: Database) -> None:
    assert await database.read(lambda c: tasks.tag_names(c, [])) == {}


async def test_a_large_payload_survives(database: Database) -> None:
    task: Task = make_task(payload='{"x":"' + "y" * 300_000 + '"}')
    await store(database, task)
    assert await stored(database, task.id) == task
