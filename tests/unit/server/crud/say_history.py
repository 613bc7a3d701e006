"""The statements of the history of minutes and of failures."""

from taskq_server.core.database import Database
from taskq_server.core.turns import Turns
from taskq_server.crud import counts, failures, history, minutes
from taskq_server.crud.minutes import Measured
from taskq_server.domain.minutes import minute_of
from tests.unit.server.factories import NOW


async def say_history(database: Database) -> None:
    minute = minute_of(NOW)
    measured = [Measured("default", queue, 1, 1, 0.5) for queue in ("b", "a")]
    for queue in (None, "default"):
        await database.read(
            lambda c, queue=queue: history.lived(c, "n", first=minute, queue=queue, most=5)  # type: ignore[misc]
        )
    await database.read(lambda c: history.numbers(c, ["default", "n"], minute))
    await database.write(lambda c: counts.compact(c, limit=99, minute=minute + 1))
    await database.write(lambda c: minutes.claim(c, minute))
    await database.write(lambda c: minutes.store(c, minute, measured))
    await database.write(lambda c: minutes.forget(c, before=minute + 1))
    await database.read(lambda c: failures.failures(c, "n", NOW, most=0, pace=Turns().pace()))
