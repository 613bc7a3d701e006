"""Workers, their leases, and what they leave behind."""

from datetime import UTC, datetime
from uuid import UUID

from taskq_server.core.database import Database
from taskq_server.crud import beats, namespaces, queues, sweeps, workers
from taskq_server.crud.tables import workers as workers_table
from taskq_server.domain.sweeps import Share
from taskq_server.domain.task import Queue, Status
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


async def orphans(database: Database, limit: int = 10, namespace: str = "default") -> list[UUID]:
    live = await database.read(workers.beats)
    return sorted(
        await database.read(lambda c: workers.orphans(c, live, namespaces=[namespace], limit=limit))
    )


async def mark_lost(database: Database, seen: dict[UUID, int]) -> None:
    await database.write(lambda c: workers.mark_lost(c, seen, lease_until=NOW))


async def live(database: Database, now: datetime) -> set[UUID]:
    return await database.read(lambda c: workers.live_ids(c, now))


async def test_a_registered_worker_is_stored_whole(database: Database) -> None:
    row = await register(database, WORKER)
    (found,) = await rows_of(database, workers_table)
    assert WorkerRow(**found) == row


async def test_a_lease_is_renewed_until_it_is_marked_as_lost(database: Database) -> None:
    await register(database, WORKER)
    other = await register(database, OTHER_WORKER)
    assert await renew(database, WORKER, NOW + seconds(10))
    assert await renew(database, WORKER, NOW + seconds(20))
    assert await database.read(workers.beats) == {WORKER: 2, OTHER_WORKER: 0}
    await mark_lost(database, {WORKER: 1})
    assert await database.read(workers.beats) == {WORKER: 2, OTHER_WORKER: 0}, "it has moved"
    rows = {row["id"]: row for row in await rows_of(database, workers_table)}
    assert rows[WORKER]["heartbeat_at"] == NOW + seconds(20)
    assert rows[WORKER]["lease_until"] == NOW + seconds(30)
    assert WorkerRow(**rows[OTHER_WORKER]) == other
    await mark_lost(database, {WORKER: 2})
    assert await database.read(workers.beats) == {OTHER_WORKER: 0}
    assert not await renew(database, WORKER, NOW + seconds(21))
    assert await live(database, NOW + seconds(1)) == {OTHER_WORKER}


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
    seen = await database.read(lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False))
    found = seen.held
    assert set(found) == {HeldAttempt(one.id, 2, False), HeldAttempt(asked.id, 1, True)}
    assert len(found) == 2
    assert (seen.shares, seen.namespaces) == ([], None)
    assert abs(seen.time - datetime.now(UTC)) < seconds(60)


async def test_a_look_tells_which_of_its_queues_are_paused(database: Database) -> None:
    await database.write(lambda c: namespaces.create(database, c, "größe", NOW))
    mine, other, going = Queue("größe", "mails"), Queue("größe", "b"), Queue("größe", "a")
    for queue, paused_at in ((mine, NOW), (other, NOW), (going, None)):
        await database.write(lambda c, q=queue: queues.lock(c, q))  # type: ignore[misc]
        await database.write(
            lambda c, q=queue, at=paused_at: queues.write(c, q, at, None)  # type: ignore[misc]
        )
    listened = ["mails", "a"]
    seen = await database.read(lambda c: beats.look(c, WORKER, listened, all_namespaces=False))
    assert seen.paused == [mine]


async def test_a_look_tells_who_takes_care_of_what_and_all_namespaces(database: Database) -> None:
    await register(database, WORKER)
    await renew(database, WORKER, NOW)
    await database.write(lambda c: namespaces.create(database, c, "größe", NOW))
    for kind, holder in (("a", WORKER), ("b", OTHER_WORKER)):
        assert await database.write(
            lambda c, k=kind, h=holder: sweeps.take(c, k, h, seen=None, now=NOW)  # type: ignore[misc]
        )
    await database.write(lambda c: sweeps.release(c, OTHER_WORKER))
    seen = await database.read(lambda c: beats.look(c, WORKER, ["default"], all_namespaces=True))
    assert sorted(seen.shares, key=lambda one: one.kind) == [
        Share("a", WORKER, 1, 1),
        Share("b", None, 2, None),
    ]
    assert seen.namespaces is not None
    assert seen.namespaces[-1] == "größe"


async def test_a_sweep_is_taken_by_the_first_who_names_what_it_saw(database: Database) -> None:
    async def take(holder: UUID, seen: int | None) -> bool:
        return await database.write(lambda c: sweeps.take(c, "a", holder, seen=seen, now=NOW))

    async def renew_by(holder: UUID) -> int:
        return await database.write(lambda c: sweeps.renew(c, ["a", "b"], holder, NOW))

    assert await take(WORKER, None)
    assert not await take(OTHER_WORKER, None)
    assert await renew_by(WORKER) == 1
    assert not await take(OTHER_WORKER, 1)
    assert await take(OTHER_WORKER, 2)
    assert (await renew_by(WORKER), await renew_by(OTHER_WORKER)) == (0, 1)
    assert not await take(WORKER, 2)
    await database.write(lambda c: sweeps.forget(c, before=NOW))
    assert not await take(WORKER, None)
    await database.write(lambda c: sweeps.forget(c, before=NOW + seconds(1)))
    assert await take(WORKER, None)


async def test_orphans_are_running_tasks_without_a_live_worker(database: Database) -> None:
    await register(database, WORKER)
    await register(database, OTHER_WORKER, at=NOW + seconds(60))
    expired, unknown = running(), running(worker_id=UUID(int=3))
    safe = running(worker_id=OTHER_WORKER)
    elsewhere = running(worker_id=UUID(int=3), namespace="other")
    await store(
        database,
        expired,
        unknown,
        safe,
        elsewhere,
        make_task(),
        make_task(Status.FAILED, worker_id=UUID(int=3)),
    )
    assert await orphans(database) == [unknown.id]
    await mark_lost(database, {WORKER: 0})
    assert await orphans(database) == sorted([expired.id, unknown.id])
    of_all = sorted([expired.id, unknown.id, elsewhere.id])
    assert await orphans(database, namespace="*") == of_all
    assert len(await orphans(database, limit=1)) == 1


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
