"""Workers, their leases, and what they leave behind."""

from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Database
from taskq_server.crud import workers
from taskq_server.crud.tables import workers as workers_table
from taskq_server.domain.task import Status
from taskq_server.domain.worker import HeldAttempt, WorkerRow
from tests.unit.server.factories import (
    NOW,
    OTHER_WORKER,
    WORKER,
    make_task,
    rows_of,
    running,
    seconds,
    store,
)

LEASE = seconds(10)


async def register(
    database: Database,
    worker_id: UUID,
    *,
    at: datetime = NOW,
    handlers: str = '["a"]',
    namespaces: str | None = '["default"]',
) -> WorkerRow:
    row = WorkerRow(
        id=worker_id,
        name="host:1",
        queues='["default"]',
        handlers=handlers,
        namespaces=namespaces,
        concurrency=5,
        started_at=at,
        heartbeat_at=at,
        lease_until=at + LEASE,
    )
    await database.write(lambda c: workers.register(c, row))
    return row


async def renew(database: Database, worker_id: UUID, now: datetime) -> bool:
    return await database.write(
        lambda c: workers.renew(c, worker_id, now=now, lease_until=now + LEASE)
    )


async def orphans(database: Database, now: datetime, limit: int = 10) -> list[UUID]:
    known = await live(database, now)
    return sorted(
        await database.read(
            lambda c: workers.orphans(c, known, namespaces=["default"], limit=limit)
        )
    )


async def live(database: Database, now: datetime) -> set[UUID]:
    return await database.read(lambda c: workers.live_ids(c, now))


async def test_a_registered_worker_is_stored_whole(database: Database) -> None:
    row = await register(database, WORKER)
    (found,) = await rows_of(database, workers_table)
    assert WorkerRow(**found) == row


async def test_a_lease_is_renewed_until_it_ran_out(database: Database) -> None:
    await register(database, WORKER)
    other = await register(database, OTHER_WORKER)
    assert await renew(database, WORKER, NOW + seconds(10))
    assert await renew(database, WORKER, NOW + seconds(20))
    assert not await renew(database, WORKER, NOW + seconds(30.1))
    rows = {row["id"]: row for row in await rows_of(database, workers_table)}
    assert rows[WORKER]["heartbeat_at"] == NOW + seconds(20)
    assert rows[WORKER]["lease_until"] == NOW + seconds(30)
    assert WorkerRow(**rows[OTHER_WORKER]) == other


async def test_an_unknown_worker_has_no_lease(database: Database) -> None:
    assert not await renew(database, WORKER, NOW)


async def test_a_worker_is_live_until_its_lease_ends(database: Database) -> None:
    await register(database, WORKER)
    await register(database, OTHER_WORKER, at=NOW + seconds(5))
    assert await live(database, NOW + seconds(10)) == {WORKER, OTHER_WORKER}
    assert await live(database, NOW + seconds(10.001)) == {OTHER_WORKER}
    assert await live(database, NOW + seconds(15.001)) == set()


async def test_unregister_ends_the_lease_of_one_worker(database: Database) -> None:
    await register(database, WORKER)
    await register(database, OTHER_WORKER)
    over = NOW - seconds(1)
    await database.write(lambda c: workers.unregister(c, WORKER, lease_until=over))
    assert await live(database, NOW) == {OTHER_WORKER}


async def test_held_is_what_a_worker_runs_now(database: Database) -> None:
    one = running(attempt=2)
    asked = running(cancel_requested_at=NOW)
    await store(
        database,
        one,
        asked,
        running(worker_id=OTHER_WORKER),
        make_task(),
        make_task(Status.SUCCEEDED, worker_id=WORKER),
    )
    found = await database.read(lambda c: workers.held(c, WORKER))
    assert set(found) == {HeldAttempt(one.id, 2, False), HeldAttempt(asked.id, 1, True)}
    assert len(found) == 2


async def test_orphans_are_running_tasks_without_a_valid_lease(database: Database) -> None:
    await register(database, WORKER)
    await register(database, OTHER_WORKER, at=NOW + seconds(60))
    expired, unknown = running(), running(worker_id=UUID(int=3))
    safe = running(worker_id=OTHER_WORKER)
    await store(
        database,
        expired,
        unknown,
        safe,
        running(worker_id=UUID(int=3), namespace="other"),
        make_task(),
        make_task(Status.FAILED, worker_id=UUID(int=3)),
    )
    assert await orphans(database, NOW + seconds(5)) == [unknown.id]
    assert await orphans(database, NOW + seconds(10)) == [unknown.id], "valid to the end"
    assert await orphans(database, NOW + seconds(11)) == sorted([expired.id, unknown.id])
    assert len(await orphans(database, NOW + seconds(11), limit=1)) == 1
    of_all = await database.read(lambda c: workers.orphans(c, [], namespaces=["*"], limit=9))
    assert len(of_all) == 4


async def test_handlers_of_live_workers(database: Database) -> None:
    await register(database, WORKER, handlers='["a","b"]')
    await register(database, OTHER_WORKER, handlers='["b"]', at=NOW + seconds(60))

    async def at(moment: datetime) -> list[str]:
        found = await database.read(lambda c: workers.handlers_of_live(c, moment, ["default"]))
        return sorted(found["default"])

    assert await at(NOW) == ['["a","b"]', '["b"]']
    assert await at(NOW + seconds(20)) == ['["b"]']


async def test_live_workers_are_those_of_a_namespace(database: Database) -> None:
    """One of `*` serves all, and so does one of the version before, which has said nothing."""
    served = ('["default","ü"]', '["defaults"]', None, '["*"]')
    for number, said in enumerate(served, 1):
        await register(database, UUID(int=number), handlers=f'["h{number}"]', namespaces=said)

    wanted = ["default", "ü", "defaults", "other"]
    handlers = await database.read(lambda c: workers.handlers_of_live(c, NOW, wanted))
    queues = await database.read(lambda c: workers.queues_of_live(c, NOW, wanted))
    assert {name: sorted(found) for name, found in handlers.items()} == {
        "default": ['["h1"]', '["h3"]', '["h4"]'],
        "ü": ['["h1"]', '["h3"]', '["h4"]'],
        "defaults": ['["h2"]', '["h3"]', '["h4"]'],
        "other": ['["h3"]', '["h4"]'],
    }
    assert [len(queues[name]) for name in wanted] == [3, 3, 3, 2]
