"""Say every statement about sweeps, retention and queues."""

from taskq_server.core.database import Database
from taskq_server.crud import keeps, pruning, queues, retention, sweeps, tasks, workers
from taskq_server.crud.retention import Window
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.task import Queue, Status
from tests.unit.server.factories import NOW, OTHER_WORKER, WORKER, make_task


async def say_statements_of_sweeps(database: Database) -> None:
    for kind in ("b", "a"):
        for seen in (None, 1):
            await database.write(
                lambda c, k=kind, s=seen: sweeps.take(c, k, WORKER, seen=s, now=NOW)  # type: ignore[misc]
            )
    await database.read(sweeps.all_shares)
    await database.write(lambda c: sweeps.renew(c, ["b", "a"], WORKER, NOW))
    await database.write(lambda c: sweeps.release(c, WORKER))
    await database.write(lambda c: sweeps.forget(c, before=NOW))
    lost = {OTHER_WORKER: 0, WORKER: 9}
    await database.write(lambda c: workers.mark_lost(c, lost, lease_until=NOW))


async def say_retention(database: Database) -> None:
    windows = {status: Window(NOW, NOW) for status in (Status.FAILED, Status.SUCCEEDED)}
    await database.read(lambda c: retention.expired(c, windows, limit=5))
    await database.read(lambda c: retention.oldest(c, windows))
    ended = [make_task(Status.FAILED, finished_at=NOW) for _ in range(4)]
    await database.write(lambda c: tasks.insert(c, [NewRow(one, keep_seconds=9) for one in ended]))
    ids = [one.id for one in ended]
    await database.read(lambda c: keeps.due(c, now=NOW, limit=5))
    await database.read(keeps.longest_due)
    await database.read(lambda c: keeps.among(c, ids[::-1]))
    await database.read(lambda c: keeps.looks(c, ids[::-1]))
    await database.write(lambda c: keeps.look_later(c, dict.fromkeys(ids[::-1], NOW)))
    await database.read(lambda c: pruning.tasks_between(c, ids[0], ids[-1], limit=9))
    for some in (pruning.Some(ids, is_range=True), pruning.Some(ids, is_range=False)):
        await database.read(lambda c, some=some: pruning.lock(c, some))  # type: ignore[misc]
        await database.read(lambda c, some=some: pruning.own_keeps(c, some))  # type: ignore[misc]
        rest = some.without([ids[1], ids[0]])
        gone = await database.read(lambda c, rest=rest: pruning.lock(c, rest))  # type: ignore[misc]
        await database.write(
            lambda c, rest=rest, gone=gone: pruning.remove(c, rest, gone, NOW, any_keep=True)  # type: ignore[misc]
        )


async def say_queue_statements(database: Database) -> None:
    queue = Queue("n", "q")
    await database.write(lambda c: queues.lock(c, queue))
    await database.read(lambda c: queues.rows(c, "n"))
    await database.read(lambda c: queues.paused(c, ["q", "a"]))
    await database.read(queues.all_paused)
    await database.read(lambda c: queues.count_paused(c, "n"))
    await database.write(lambda c: queues.write(c, queue, NOW, "why"))
    await database.read(lambda c: queues.unused(c, limit=5))
    await database.write(lambda c: queues.forget(c, [queue, Queue("n", "a")]))
