"""Say every statement about sweeps, retention and queues."""

from taskq_server.core.database import Database
from taskq_server.crud import (
    keeps,
    pruning,
    queues,
    retention,
    sweeps,
    tasks,
    unique_keys,
    workers,
)
from taskq_server.crud.retention import Window
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.task import Queue, Status
from taskq_server.domain.unique import UniqueKey
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


async def say_unique_statements(database: Database) -> None:
    new_id = IdSource()
    new = [
        NewRow(make_task(id=new_id(NOW, Mark.UNIQUE)), unique=UniqueKey(f"key {number}"))
        for number in range(4)
    ]
    claims = [one.claim for one in new if one.claim]
    ids = [one.task.id for one in new]
    await database.write(lambda c: unique_keys.take(c, claims[::-1]))
    await database.read(lambda c: tasks.existing(c, ids[::-1]))
    # Nobody has stored the holders: whoever claims their keys next gets them.
    others = [one._replace(task_id=new_id(NOW, Mark.UNIQUE)) for one in claims]
    await database.write(lambda c: unique_keys.take(c, others[::-1]))
    await database.write(lambda c: tasks.insert(c, new))
    await database.write(lambda c: unique_keys.retake(c, "default", ids[::-1]))
    await database.read(lambda c: unique_keys.held_among(c, [one.key for one in claims[::-1]]))
    await database.write(lambda c: unique_keys.lock(c, ids[::-1]))
    await database.write(lambda c: tasks.remove(c, [one.task for one in new[::-1]], NOW))
    ended = [
        make_task(Status.FAILED, id=new_id(NOW, Mark.UNIQUE), finished_at=NOW) for _ in range(2)
    ]
    await database.write(lambda c: tasks.insert(c, [NewRow(one) for one in ended]))
    some = pruning.Some([one.id for one in ended], is_range=True)
    gone = await database.read(lambda c: pruning.lock(c, some))
    await database.write(lambda c: pruning.remove(c, some, gone, NOW, any_keep=False))


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
