"""Say every statement about schedules that code declares."""

from uuid import UUID

from taskq_server.core.database import Database
from taskq_server.crud import declarations, schedules, workers
from taskq_server.crud.declarations import Left
from taskq_server.domain.declarations import NOTHING, Known
from tests.unit.server.factories import NOW, WORKER


async def say_declarations(database: Database) -> None:
    pairs = [("n", "b"), ("n", "a"), ("m", "a")]
    news = [Known(*pair, NOTHING, NOW, None) for pair in pairs]
    await database.write(lambda c: declarations.insert(c, news))
    await database.write(lambda c: workers.set_handlers(c, WORKER, "{}", "{}"))
    for namespaces in (["n", "m"], None):
        await database.read(lambda c, some=namespaces: declarations.known(c, ["b", "a"], some))  # type: ignore[misc]
    assert await database.write(lambda c: declarations.of_pairs(c, pairs, lock=True)) == sorted(
        news
    )
    await database.read(declarations.declaring)
    await database.read(lambda c: declarations.live(c, NOW))
    await database.read(lambda c: declarations.handlers_of(c, [WORKER]))
    left = Left(NOW, "why", UUID(int=1))
    await database.write(lambda c: declarations.leave(c, pairs[0], left))
    assert await database.write(lambda c: declarations.take_left(c, pairs[0])) == left
    assert await database.write(lambda c: declarations.take_left(c, pairs[0])) == Left()
    await database.read(lambda c: schedules.declared(c, pairs))
    await database.write(lambda c: schedules.delete_declared(c, pairs))
    await database.write(lambda c: declarations.forget(c, pairs))
