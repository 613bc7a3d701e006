"""Fire schedules: submit their tasks at their times, exactly one for each time.

Any janitor may, in any number of processes. Some schedules that are due are looked at together,
without a lock. Then one transaction locks those that are still as they were seen, and stores their
tasks, which task is that of which time, and how far each schedule is: all of it, or nothing.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime

from taskq_server.core.database import Database
from taskq_server.core.turns import Turns
from taskq_server.crud import schedules
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import AUTHORIZATION, QuotaExceeded, Unavailable
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.task import Fire, Status, Task, TaskDetails
from taskq_server.metrics.submits import SubmitResult, Submits
from taskq_server.services import fire_storing
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.fire_plans import Plan, Planner
from taskq_server.services.fire_storing import Batch, NewId, Stored
from taskq_server.services.quotas import Quotas, of_items, of_tags
from taskq_server.services.submission import Made
from taskq_server.services.tags import TagIds
from taskq_server.services.task_log import AS_DEFAULT, TaskLog

_TOGETHER = 100
"""Schedules of one transaction."""

_BYTES = 4_194_304
"""Bytes of the tasks of one transaction, about."""

_REST = 1.0
"""A pause after each transaction, in times of what it took: submits get their turn."""

_MOST_REST_SECONDS = 0.1
"""A pause at most, because what is due in one second is to be fired in a few."""

_log = logging.getLogger("taskq.server.janitor")


class Firing:
    """Fire schedules, those that are due and those that somebody asks for.

    Args:
        database: holds the rows.
        earliest: the earliest time that it may be, aware UTC, because no time fires too early.
        planner: says what a schedule is to do.
        tag_ids: finds the ids of tags, or makes them.
        quotas: say how many names may be in use, and how many tasks may wait.
        after_commit: tells what has changed.
        new_id: makes ids of tasks.
        turns: shares the event loop with others.
        metrics: count what is submitted.
        log: tells of tasks that end.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        database: Database,
        earliest: Callable[[], datetime],
        planner: Planner,
        tag_ids: TagIds,
        quotas: Quotas,
        after_commit: AfterCommit,
        new_id: NewId,
        turns: Turns,
        metrics: Submits,
        log: TaskLog = AS_DEFAULT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._earliest = earliest
        self._planner = planner
        self._tag_ids = tag_ids
        self._quotas = quotas
        self._after_commit = after_commit
        self._new_id = new_id
        self._turns = turns
        self._metrics = metrics
        self._task_log = log
        self._monotonic = monotonic

    async def sweep(self) -> None:
        """Fire until no schedule is left that is due, and that nobody else has locked."""
        began = self._monotonic()
        while await self._round():
            took = self._monotonic() - began
            await asyncio.sleep(min(_REST * took, _MOST_REST_SECONDS))
            began = self._monotonic()

    async def fire_now(self, caller: Caller, schedule: Schedule) -> TaskDetails:
        """Submit the task of a schedule now, whatever its times are; return the task.

        Args:
            caller: submits the task.
            schedule: of the caller's namespace.

        Raises:
            ScheduleNotFound: it has been deleted meanwhile.
            PermissionDenied: the caller may not run the handler.
            Rejected: the task cannot be taken, or another one holds its unique key.
        """
        caller.check_may_run({AUTHORIZATION: schedule.handler})
        made = fire_storing.marked(await self._planner.task(caller, schedule), self._new_id)
        tags = tuple(sorted(set(made.tags)))
        async with (
            self._quotas.queues.admit(caller, {made.task.queue: "/queue"}),
            self._quotas.tags.admit(caller, of_tags(made.tags)),
            self._quotas.waiting.places(caller, 1, None, made.unique),
        ):
            fire_at = await self._tag_ids.use(
                caller,
                tags,
                lambda ids: self._database.write(
                    lambda c: fire_storing.store_one(c, schedule, made, [*ids.values()])
                ),
            )
        self._tell_of([made.task])
        fire = Fire(schedule.name, fire_at)
        return TaskDetails(
            made.task,
            tags,
            keep_seconds=made.keep_seconds,
            schedule=fire,
            unique_key=None if made.unique is None else made.unique.text,
        )

    async def _round(self) -> bool:
        """Fire some schedules that are due; return whether there may be more."""
        now = self._earliest()
        seen = await self._database.read(lambda c: schedules.due(c, now=now, limit=_TOGETHER))
        if not seen:
            return False
        plans = await self._plans(seen, now)
        moved = await self._fire_or_put_off(plans, now)
        # What others have locked, or changed meanwhile, is left to the next sweep.
        return moved > 0 and (len(seen) == _TOGETHER or len(plans) < len(seen))

    async def _plans(self, seen: Sequence[Schedule], now: datetime) -> list[Plan]:
        """Return plans for the first ones of some schedules, as many as fit one transaction."""
        plans: list[Plan] = []
        weight = 0
        pace = self._turns.pace()
        for schedule in seen:
            await pace.rest()
            plan = (await self._planner.plan(schedule, now)).at_most(_BYTES)
            weight += plan.weight
            if plans and weight > _BYTES:
                break
            plans.append(plan)
        return plans

    async def _fire_or_put_off(self, plans: Sequence[Plan], now: datetime) -> int:
        """Fire schedules; if that fails, each alone, so that one keeps no other from firing.

        Returns:
            How many have moved on.
        """
        try:
            stored = await self._fire(plans, now)
        except Unavailable:
            raise
        except Exception:
            if len(plans) > 1:
                return sum([await self._fire_or_put_off([plan], now) for plan in plans])
            _log.exception("cannot fire schedule %s", plans[0].schedule.name)
            stored = await self._fire([plans[0].put_off()], now)
        self._tell(stored)
        return len(stored.moved)

    async def _fire(self, plans: Sequence[Plan], now: datetime) -> Stored:
        async with AsyncExitStack() as stack:
            admitted = await self._admitted(stack, plans)
            room = await self._room(stack, admitted)
            tags = {named for plan in admitted for named in plan.tags}
            return await self._tag_ids.use_named(
                tags,
                lambda ids: self._database.write(
                    lambda c: fire_storing.store(c, Batch(admitted, room, ids, now), self._new_id)
                ),
            )

    async def _admitted(self, stack: AsyncExitStack, plans: Sequence[Plan]) -> Sequence[Plan]:
        """Return the plans; one is refused if a queue or a tag of its task is one too many."""
        names: defaultdict[str, list[Made]] = defaultdict(list)
        for plan in plans:
            if plan.made is not None:
                names[plan.schedule.namespace].append(plan.made)
        try:
            async with AsyncExitStack() as together:
                for of, made in names.items():
                    await self._admit(together, Caller(of), made)
                await stack.enter_async_context(together.pop_all())
        except QuotaExceeded:  # of some; each is asked about alone
            return [await self._admitted_alone(stack, plan) for plan in plans]
        return plans

    async def _admitted_alone(self, stack: AsyncExitStack, plan: Plan) -> Plan:
        if plan.made is None:
            return plan
        try:
            await self._admit(stack, plan.caller, [plan.made])
        except QuotaExceeded as error:
            return replace(plan, made=None, refusal=str(error))
        return plan

    async def _admit(self, stack: AsyncExitStack, caller: Caller, made: Sequence[Made]) -> None:
        queues, tags = of_items(made)
        await stack.enter_async_context(self._quotas.queues.admit(caller, queues))
        await stack.enter_async_context(self._quotas.tags.admit(caller, tags))

    async def _room(self, stack: AsyncExitStack, plans: Sequence[Plan]) -> dict[str, int]:
        """Return how many tasks of each namespace may begin to wait, where that is limited."""
        waiting = self._quotas.waiting
        if not waiting.is_limited:
            return {}
        wanted: Counter[str] = Counter()
        for plan in plans:
            wanted[plan.schedule.namespace] += plan.tasks
        return {
            of: await stack.enter_async_context(waiting.some_places(Caller(of), number))
            for of, number in wanted.items()
        }

    def _tell(self, stored: Stored) -> None:
        self._tell_of(stored.tasks)
        if stored.changes:
            self._after_commit.changed_together(stored.changes)
        for before, after in stored.changes:
            if after.status is Status.CANCELLED and before.status.waiting:
                self._task_log.cancelled(after)
        for seen, moved in stored.moved:
            _tell_of_misses(seen, moved)

    def _tell_of(self, new: Sequence[Task]) -> None:
        for (handler, queue), number in Counter((one.handler, one.queue) for one in new).items():
            self._metrics.count(handler, queue, SubmitResult.CREATED, number)
        if new:
            self._after_commit.submitted(new)


def _tell_of_misses(before: Schedule, after: Schedule) -> None:
    number = after.missed - before.missed
    if after.last_error is not None and (number or after.last_error != before.last_error):
        _log.warning(
            "schedule %s of namespace %s: %d times without a task: %s",
            after.name, after.namespace, number, after.last_error,
            extra={"namespace": after.namespace},
        )  # fmt: skip
    elif number:
        _log.info(
            "schedule %s of namespace %s: %d times have passed unseen",
            after.name, after.namespace, number,
            extra={"namespace": after.namespace},
        )  # fmt: skip
