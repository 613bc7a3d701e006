"""Ends of attempts, written the way the service writes them."""

from collections.abc import Sequence
from datetime import datetime

from taskq_server.core.database import Database
from taskq_server.crud import completions
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Task
from tests.unit.server.factories import NOW


async def end_all(
    database: Database, ends: Sequence[AttemptEnded], hook_done_at: datetime | None = NOW
) -> None:
    done = {end.task.id: hook_done_at for end in ends}
    await database.write(lambda c: completions.mark_ended(c, ends, hook_done_at=done))


async def end(database: Database, ended: AttemptEnded, hook_done_at: datetime | None = NOW) -> Task:
    await end_all(database, [ended], hook_done_at)
    return ended.task
