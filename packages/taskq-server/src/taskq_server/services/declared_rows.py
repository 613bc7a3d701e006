"""The schedules in the database that handlers declare: made, moved to other times, ended."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from taskq_server.core.database import Connection
from taskq_server.crud import declarations, schedules
from taskq_server.crud.declarations import Left
from taskq_server.crud.pairs import Named
from taskq_server.domain import scopes, times
from taskq_server.domain.declarations import Declaration, Known, schedule_name
from taskq_server.domain.ids import IdSource
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule

_CATCH_UP_SECONDS = 86_400.0
_log = logging.getLogger("taskq.server.schedules")


class DeclaredRows:
    """Write the schedules that handlers declare.

    Whether one is paused, and its last task, outlive that it is declared: after a deploy that was
    rolled back, it goes on as it was.

    Args:
        clock: aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ids = IdSource()

    async def put_in_force(self, connection: Connection, known: Known) -> None:
        """Make, change or end a schedule.

        Args:
            connection: of the transaction that has locked what is known of the handler.
            known: what is in force from now on.
        """
        which = known.namespace, known.handler
        name = schedule_name(known.handler)
        row = await schedules.get(connection, known.namespace, name, lock=True)
        if known.text is not None:
            await self._set(connection, which, row, known.digest, Declaration.read(known.text))
        elif row is not None:
            left = Left(row.paused_at, row.note, row.last_task_id)
            await declarations.leave(connection, which, left)
            await schedules.delete(connection, row.id)
            _log.info("the schedule %s of namespace %s has ended", name, known.namespace)

    async def _set(
        self,
        connection: Connection,
        which: Named,
        row: Schedule | None,
        digest: str,
        declared: Declaration,
    ) -> None:
        now = self._clock()
        if row is None:
            left = await declarations.take_left(connection, which)
            new = _timed(self._new(which, declared, left, now), now)
            await schedules.put(connection, replace(new, declaration=digest))
        else:
            changed = replace(
                row,
                cron=declared.cron,
                every_seconds=declared.every_seconds,
                timezone=declared.timezone,
                declaration=digest,
                version=row.version + 1,
                updated_at=now,
            )
            await schedules.write(connection, _timed(changed, now))
        namespace, handler = which
        _log.info(
            "the schedule %s of namespace %s is now: %s",
            schedule_name(handler), namespace, declared,
        )  # fmt: skip

    def _new(self, which: Named, declared: Declaration, left: Left, now: datetime) -> Schedule:
        namespace, handler = which
        return Schedule(
            id=self._ids(now),
            namespace=namespace,
            name=schedule_name(handler),
            cron=declared.cron,
            every_seconds=declared.every_seconds,
            timezone=declared.timezone,
            overlap=Overlap.SKIP,
            catch_up=CatchUp.LAST,
            catch_up_seconds=_CATCH_UP_SECONDS,
            jitter_seconds=0.0,
            starts_at=None,
            ends_at=None,
            paused_at=left.paused_at,
            note=left.note,
            task=json.dumps({"handler": handler, "payload": {}}),
            handler=handler,
            key_id=None,
            globs=(scopes.RUN_ALL,),
            declaration=declared.digest,
            version=1,
            due_at=None,
            next_fire_at=None,
            queued_fire_at=None,
            last_fire_at=None,
            last_task_id=left.last_task_id,
            fired=0,
            skipped=0,
            missed=0,
            last_error=None,
            created_at=now,
            updated_at=now,
        )


def _timed(schedule: Schedule, now: datetime) -> Schedule:
    """Return a schedule that was made or changed now with its next time; a paused one has none."""
    if schedule.paused_at is not None:
        return schedule
    try:
        at = times.next_after(schedule.timing, now)
    except ValueError as error:  # a zone that only the worker knows that declares it
        return replace(schedule, next_fire_at=None, due_at=None, last_error=str(error))
    return replace(schedule, next_fire_at=at, due_at=None if at is None else schedule.fires_at(at))
