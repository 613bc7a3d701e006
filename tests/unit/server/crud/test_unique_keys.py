"""Who holds a unique key, in one transaction and after it."""

from uuid import UUID

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import tasks, unique_keys
from taskq_server.crud.tasks import NewRow
from taskq_server.crud.unique_keys import Claim
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.task import Status
from taskq_server.domain.unique import Holder, UniqueKey, hash_of
from tests.unit.server.factories import NOW, make_task

_new_id = IdSource()


def claim(key: str, namespace: str = "default") -> Claim:
    return Claim(namespace, hash_of(key), _new_id(NOW, Mark.UNIQUE))


async def take(database: Database, *claims: Claim) -> dict[UUID, Holder]:
    return await database.write(lambda c: unique_keys.take(c, claims))


async def store(database: Database, status: Status, *claims: Claim) -> None:
    """Store the tasks of claims, as if their keys had been taken."""
    ended = NOW if status.final else None
    rows = [
        NewRow(
            make_task(status, id=one.task_id, namespace=one.namespace, finished_at=ended),
            unique=UniqueKey("key"),
        )
        for one in claims
    ]
    await database.write(lambda c: tasks.insert(c, rows))


async def test_the_first_claim_of_a_key_counts(database: Database) -> None:
    first, other, second, third = claim("z"), claim("a"), claim("z"), claim("z")
    queued = Holder(first.task_id, Status.QUEUED)
    lost = {second.task_id: queued, third.task_id: queued}
    assert await take(database, first, other, second, third) == lost


async def test_each_namespace_has_keys_of_its_own(database: Database) -> None:
    ours, theirs = claim("a"), claim("a", "other")
    assert await take(database, ours, theirs) == {}
    await store(database, Status.QUEUED, ours, theirs)
    late = claim("a"), claim("a", "other")
    assert await take(database, *late) == {
        late[0].task_id: Holder(ours.task_id, Status.QUEUED),
        late[1].task_id: Holder(theirs.task_id, Status.QUEUED),
    }
    await database.write(lambda c: unique_keys.release(c, [ours.task_id]))
    assert set(await take(database, *late)) == {late[1].task_id}


@pytest.mark.parametrize("status", Status)
async def test_only_who_waits_or_runs_holds_a_key(database: Database, status: Status) -> None:
    first, second = claim("a"), claim("a")
    await take(database, first)
    await store(database, status, first)
    lost = {} if status.final else {second.task_id: Holder(first.task_id, status)}
    assert await take(database, second) == lost


async def test_who_has_a_key_takes_it_again(database: Database) -> None:
    first, second = claim("key"), claim("key")
    await take(database, first)
    await store(database, Status.FAILED, first, second)
    ids = [second.task_id, first.task_id, _new_id(NOW, Mark.UNIQUE), _new_id(NOW)]
    lost = await database.write(lambda c: unique_keys.retake(c, "default", ids))
    assert lost == {second.task_id: Holder(first.task_id, Status.FAILED)}


async def test_nobody_frees_the_key_of_another_task(database: Database) -> None:
    first, second = claim("a"), claim("a")
    await take(database, first)
    await store(database, Status.QUEUED, first)
    await database.write(lambda c: unique_keys.release(c, [second.task_id]))
    assert set(await take(database, second)) == {second.task_id}
    assert await database.read(lambda c: unique_keys.held_among(c, [second.key])) == {first.key}
