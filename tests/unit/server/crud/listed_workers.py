"""Each statement about the list of workers, and about those that have ended."""

from taskq_server.core.database import Database
from taskq_server.crud import live_workers, old_workers, workers
from tests.unit.server.factories import NOW, OTHER_WORKER, WORKER


async def say_statements_of_the_list(database: Database) -> None:
    """Run each of them once, with two registered workers."""
    ids = [OTHER_WORKER, WORKER]
    await database.read(lambda c: live_workers.places(c, NOW))
    await database.read(lambda c: live_workers.by_id(c, ids))
    for of, by in ((None, None), ("n", "k")):
        await database.read(
            lambda c, of=of, by=by: live_workers.loads(  # type: ignore[misc]
                c, ids, namespace=of, submitted_by=by, most=9
            )
        )
    await database.write(lambda c: workers.unregister(c, WORKER, lease_until=NOW))
    await database.read(lambda c: old_workers.idle(c, before=NOW, limit=9))
    await database.read(lambda c: old_workers.named(c, created_before=NOW))
    await database.write(lambda c: old_workers.forget(c, ids))
