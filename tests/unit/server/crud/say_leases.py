"""Say every statement about workers, their leases, and what they look for."""

from taskq_server.core.database import Database
from taskq_server.crud import beats, due, namespaces, oldest, workers
from taskq_server.domain.worker import WorkerRow
from tests.unit.server.crud.listed_workers import say_statements_of_the_list
from tests.unit.server.crud.say_upkeep import say_retention, say_statements_of_sweeps
from tests.unit.server.factories import NOW, OTHER_WORKER, WORKER


async def say_lease_statements(database: Database) -> None:
    for worker_id in (WORKER, OTHER_WORKER):
        row = WorkerRow(
            id=worker_id,
            name="n",
            queues="[]",
            handlers="[]",
            namespaces='["default"]',
            concurrency=1,
            started_at=NOW,
            heartbeat_at=NOW,
            lease_until=NOW,
        )
        await database.write(lambda c, row=row: workers.register(c, row))  # type: ignore[misc]
    await database.write(lambda c: workers.renew(c, WORKER, now=NOW, lease_until=NOW))
    await database.read(lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False))
    await database.read(lambda c: beats.look(c, WORKER, ["q", "a"], all_namespaces=True))
    for serves in ("default", "*"):
        await database.read(
            lambda c, s=serves: workers.orphans(c, {WORKER, OTHER_WORKER}, namespaces=[s], limit=5)  # type: ignore[misc]
        )
    await database.read(workers.beats)
    await say_statements_of_sweeps(database)
    await database.read(lambda c: workers.live_ids(c, NOW))
    await database.read(lambda c: workers.latest(c, limit=5))
    await say_retention(database)
    await database.write(lambda c: namespaces.create(database, c, "n", NOW))
    await database.read(namespaces.made)
    await database.read(lambda c: namespaces.waiting(c, ["default", "n"]))
    await database.read(lambda c: workers.handlers_of_live(c, NOW, ["n"]))
    await say_statements_of_the_list(database)
    await database.read(
        lambda c: due.due(
            c,
            namespace="n",
            queue="q",
            handlers=["h", "i"],
            now=NOW,
            limit=5,
            last_chance=False,
            below=1,
            untouched_since=NOW,
        )
    )
    await database.read(lambda c: workers.queues_of_live(c, NOW, ["n"]))
    for handlers_that_are in (["h", "i"], [f"h{n}" for n in range(100)]):
        await database.read(
            lambda c, names=handlers_that_are: oldest.oldest(  # type: ignore[misc]
                c, namespace="n", queues=["q", "r"], handlers=names, now=NOW, listened=["q"]
            )
        )
