"""Namespaces as rows, and which of them have waiting tasks."""

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import namespaces
from taskq_server.domain.task import Status
from tests.unit.server.factories import NOW, make_task, seconds, store


async def test_a_namespace_is_made_once(database: Database) -> None:
    for is_new in (True, False):
        made = await database.write(lambda c: namespaces.create(database, c, "ünder", NOW))
        assert made is is_new
    later = NOW + seconds(1)
    assert not await database.write(lambda c: namespaces.create(database, c, "ünder", later))
    found = await database.read(namespaces.made)
    assert found["ünder"] == NOW
    assert set(found) - {"default"} == {"ünder"}


@pytest.mark.parametrize("other", ["Mine", "míne"])
async def test_names_are_compared_as_they_are(database: Database, other: str) -> None:
    await database.write(lambda c: namespaces.create(database, c, "mine", NOW))
    assert await database.write(lambda c: namespaces.create(database, c, other, NOW))


async def test_some_have_waiting_tasks(database: Database) -> None:
    await database.write(lambda c: namespaces.create(database, c, "later", NOW))
    for status in Status:
        await database.write(lambda c, s=status: namespaces.create(database, c, s, NOW))  # type: ignore[misc]
        await store(database, *(make_task(status, namespace=status) for _ in range(3)))
    await store(database, make_task(namespace="later", run_at=NOW + seconds(99)))
    assert await database.read(namespaces.waiting) == {"queued", "retrying", "later"}
    some = ["queued", "failed", "running", "none"]
    assert await database.read(lambda c: namespaces.waiting(c, some)) == {"queued"}
