"""Since when the oldest due task of each queue has been due."""

from collections.abc import Collection, Sequence
from datetime import datetime

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import oldest
from taskq_server.domain.task import Priority, Status
from tests.unit.server.factories import NOW, make_task, running, seconds, store

FEW = ["h", "i"]
MANY = ["h", "i", *(f"h{n}" for n in range(100))]


async def ages(
    database: Database,
    *queues: str,
    handlers: Sequence[str],
    listened: Collection[str] = (),
) -> dict[str, datetime]:
    return await database.read(
        lambda c: oldest.oldest(
            c,
            namespace="default",
            queues=queues,
            handlers=handlers,
            now=NOW,
            listened=listened,
        )
    )


@pytest.mark.parametrize("listened", [(), ("default", "elsewhere")])
@pytest.mark.parametrize("handlers", [FEW, MANY])
async def test_the_oldest_is_who_has_been_due_the_longest(
    database: Database, handlers: Sequence[str], listened: Collection[str]
) -> None:
    await store(
        database,
        make_task(handler="h", created_at=NOW - seconds(9), priority=Priority.URGENT),
        make_task(handler="i", created_at=NOW - seconds(60), priority=Priority.LOW),
        make_task(handler="h", created_at=NOW - seconds(90), run_at=NOW - seconds(30)),
        make_task(handler="h", created_at=NOW - seconds(90), run_at=NOW + seconds(1)),
        make_task(handler="h", created_at=NOW - seconds(99), namespace="other"),
        make_task(Status.FAILED, handler="h", created_at=NOW - seconds(99)),
        running(handler="h", created_at=NOW - seconds(99)),
        make_task(Status.RETRYING, handler="h", queue="b", run_at=NOW),
        make_task(handler="h", queue="later", run_at=NOW + seconds(0.002)),
        make_task(handler="h", queue="not asked for"),
    )
    queues = ("default", "b", "later", "empty")
    found = await ages(database, *queues, handlers=handlers, listened=listened)
    assert found == {"default": NOW - seconds(60), "b": NOW}
    assert await ages(database, handlers=handlers, listened=listened) == {}


async def test_beyond_the_bound_a_queue_has_its_exact_age_or_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [(handler, priority) for handler in FEW for priority in Priority]
    new = [
        make_task(queue=queue, handler=handler, priority=priority, created_at=NOW - seconds(n))
        for queue in ("a", "b", "c", "z")
        for n, (handler, priority) in enumerate(lanes)
    ]
    await store(database, *new)
    oldest_of_each = NOW - seconds(len(lanes) - 1)
    monkeypatch.setattr(oldest, "_lowest_of_first", oldest._lowest.limit(2 * len(lanes) + 1))
    monkeypatch.setattr(oldest, "MOST_LEAPS", 2 * len(lanes) + 1)
    queues = ("a", "b", "c", "z")
    found = await ages(database, *queues, handlers=MANY)
    assert found == dict.fromkeys("ab", oldest_of_each), "the lanes of c are incomplete"
    found = await ages(database, *queues, handlers=MANY, listened=["z"])
    assert found == dict.fromkeys("abz", oldest_of_each), "workers listen to z"


async def test_tasks_of_another_namespace_in_the_same_queues_count_for_nothing(
    database: Database,
) -> None:
    names = [f"q{n:03}" for n in range(60)]
    new = [
        make_task(queue=queue, handler=handler, created_at=NOW - seconds(age), namespace=of)
        for queue in names
        for handler in FEW
        for of, age in (("default", 5), ("other", 9))
    ]
    await store(database, *new)
    found = await ages(database, *names, handlers=MANY)
    assert found == dict.fromkeys(names, NOW - seconds(5))
