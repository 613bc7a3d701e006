"""Claim tasks, store progress, end attempts: a worker's side of the service, in group commits."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

from taskq_server.broker.dispatcher import (
    Dispatcher,
    Doorbell,
    doorbell_of,
    doorbell_when_due,
)
from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.tracing import Tracing
from taskq_server.crud import claims, handlers, hooks, schedules, tasks, unique_keys
from taskq_server.crud.completions import StaleRow, mark_ended, put_off
from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest, Gate, NotNow, admit
from taskq_server.domain.errors import TaskqError
from taskq_server.domain.events import TaskProgressed
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.skew import pause_after
from taskq_server.domain.task import Attempt, Due, Fire, Status, Task
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.reports import Completion, Report, decide_ends, is_held
from taskq_server.services.task_log import AS_DEFAULT, TaskLog


class Claim(NamedTuple):
    """A claimed task as it runs now, and what has fired it; None if a submit has."""

    task: Task
    schedule: Fire | None = None


class AttemptService:
    """The worker's side of the life of tasks.

    Args:
        database: holds the rows.
        clock: the database's time.
        dispatcher: rings again for claims whose bell is spent.
        after_commit: tells of ends and of progress.
        tracing: makes the spans of group commits.
        log: tells of attempts that start and end.
        has_failure_hooks: whether this worker has `on_retry` or `on_job_failure` hooks, so that
            the errors of its tasks stay marked until a hook has run.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        dispatcher: Dispatcher,
        after_commit: AfterCommit,
        tracing: Tracing,
        *,
        log: TaskLog = AS_DEFAULT,
        has_failure_hooks: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._dispatcher = dispatcher
        self._after_commit = after_commit
        self._tracing = tracing
        self._log = log
        self._has_failure_hooks = has_failure_hooks
        self._claims: GroupCommit[ClaimRequest, Claim | NotNow | None] = GroupCommit(
            self._commit_claims, name="claims", observer=database.observer
        )
        self._ends: GroupCommit[Completion, AttemptEnded] = GroupCommit(
            self._commit_ends,
            weight=lambda completion: 500 + completion.weight,
            name="ends",
            observer=database.observer,
        )
        self._reports: GroupCommit[Report, None] = GroupCommit(
            self._commit_reports, name="reports", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        await self._claims.close()
        await self._ends.close()
        await self._reports.close()

    async def claim(self, request: ClaimRequest) -> Claim | NotNow | None:
        """Claim an attempt for a worker.

        An attempt that found no thread is rung for aside, where other workers may take it at once.
        For one that found no process nobody is rung: its worker keeps it in mind. One of a paused
        queue is rung for as before, because its doorbell is spent.

        Returns:
            Its task as it runs now, or what the worker has no room for; None if the attempt is not
            the worker's to run.

        Raises:
            DatabaseUnavailable: nobody knows whether it was claimed.
        """
        return await self._claims(request)

    def ring_again(self, waiting: Sequence[Due]) -> None:
        """Ring for attempts that found no room in one worker: another one may have some."""
        self._dispatcher.ring([doorbell_of(one) for one in waiting])

    async def end(self, completion: Completion) -> AttemptEnded:
        """Store the end of an attempt, and ring for the next one if there is one.

        Raises:
            StaleAttempt: the attempt is no longer its worker's.
            IllegalTransition: the task may not go that way.
            DatabaseUnavailable: nobody knows whether it was stored.
        """
        return await self._ends(completion)

    async def report(self, report: Report) -> None:
        """Store progress, unless the attempt is no longer its worker's.

        Raises:
            DatabaseUnavailable: nobody knows whether it was stored.
        """
        await self._reports(report)

    async def would_take(self, completion: Completion) -> bool:
        """Return whether the database would take this end, without keeping it."""

        async def work(connection: Connection) -> None:
            answers = await self._apply(connection, [completion])
            raise _Undo(isinstance(answers[0], AttemptEnded))

        try:
            await self._database.write(work)
        except _Undo as undo:
            return undo.taken
        except Exception:
            return False
        raise AssertionError("unreachable: the work is always undone")

    async def pause_of_unfit(self, task: Task, schema: str) -> float | None:
        """Return for how many seconds to put off a task whose payload does not fit its worker.

        Args:
            task: is running.
            schema: of its handler, in that worker.

        Returns:
            None if it should fail: that schema is the published one, or it was put off too often.
        """

        async def look(connection: Connection) -> float | None:
            published = await handlers.schema_of(connection, task.namespace, task.handler)
            if published is None or published == schema:
                return None
            return pause_after(await put_off(connection, task.id))

        return await self._database.read(look)

    async def cancels_asked(self, task_ids: Collection[UUID]) -> list[UUID]:
        """Return which of some tasks run although somebody asked to cancel them."""
        return await self._database.read(lambda c: claims.cancels_asked(c, task_ids))

    async def rescue(
        self, task_ids: Sequence[UUID], is_orphan: Callable[[Task], bool]
    ) -> list[AttemptEnded]:
        """Take tasks back from workers that are gone.

        Args:
            task_ids: candidates.
            is_orphan: looks again, now that the row is locked.
        """

        async def work(connection: Connection) -> list[AttemptEnded]:
            now = self._clock()
            await unique_keys.lock(connection, task_ids)
            locked = await tasks.lock(connection, task_ids, payload=False)
            running = [task for task in locked.values() if task.status is Status.RUNNING]
            ends = [lifecycle.rescue(task, now=now) for task in running if is_orphan(task)]
            # Whether there are hooks is for a worker to say that has the handler.
            await self._write(connection, ends, now, has_failure_hooks=True)
            return ends

        ends = await self._database.write(work)
        self._tell_ended(ends)
        return ends

    async def hooks_done(self, keys: Sequence[tuple[UUID, int]]) -> None:
        """Remember that nothing is left to do for the hooks of these ended attempts."""
        now = self._clock()
        await self._database.write(lambda c: hooks.mark_hooks_done(c, keys, now))

    async def pending_hooks(
        self,
        *,
        namespaces: Sequence[str],
        before: datetime,
        handlers: Sequence[str],
        limit: int,
    ) -> list[tuple[Attempt, Task]]:
        """Return ended attempts of some namespaces whose hook should have run before `before`."""
        return await self._database.read(
            lambda c: hooks.pending_hooks(
                c, namespaces=namespaces, before=before, handlers=handlers, limit=limit
            )
        )

    async def _commit_claims(
        self, requests: Sequence[ClaimRequest]
    ) -> Sequence[Claim | NotNow | Exception | None]:
        async def work(connection: Connection) -> _Claimed:
            now, earliest = self._clock(), self._clock.earliest()
            wanted = [request.task_id for request in requests]
            locked, paused = await claims.lock(connection, wanted)
            answers = admit(requests, locked, now, earliest, paused)
            claimed: dict[UUID, list[Task]] = {}
            for request, answer in zip(requests, answers, strict=True):
                if isinstance(answer, Task):
                    claimed.setdefault(request.worker_id, []).append(locked[answer.id])
            for worker_id, waiting in claimed.items():
                await claims.mark_claimed(connection, waiting, worker_id=worker_id, now=now)
            early = [one for one in locked.values() if _is_early(one, earliest)]
            bells = [*map(doorbell_when_due, early), *_bells_of_refused(answers)]
            starts = [(locked[one.id], one) for one in answers if isinstance(one, Task)]
            fires = await schedules.fires_of(connection, [task.id for _, task in starts])
            told = [_claim(one, fires) if isinstance(one, Task) else one for one in answers]
            return _Claimed(told, starts, bells)

        claimed = await self._database.write(work)
        self._dispatcher.ring(claimed.bells)
        self._after_commit.claimed(claimed.starts)
        self._log.started(task for _, task in claimed.starts)
        return claimed.answers

    async def _commit_ends(
        self, completions: Sequence[Completion]
    ) -> Sequence[AttemptEnded | Exception]:
        with self._tracing.commit("ends", (one.traceparent for one in completions)):
            try:
                answers = await self._database.write(
                    lambda c: self._apply(c, completions, optimistic=True)
                )
            except StaleRow:
                answers = await self._database.write(lambda c: self._apply(c, completions))
        self._tell_ended([answer for answer in answers if isinstance(answer, AttemptEnded)])
        return answers

    def _tell_ended(self, ends: Sequence[AttemptEnded]) -> None:
        self._after_commit.ended(ends)
        self._log.ended(ends)

    async def _apply(
        self, connection: Connection, completions: Sequence[Completion], *, optimistic: bool = False
    ) -> list[AttemptEnded | TaskqError]:
        """Write ends.

        Args:
            connection: in a transaction.
            completions: of attempts.
            optimistic: whether tasks that have a `claimed` are written without being read again;
                the write itself finds out whether one has changed since its claim.
        """
        now = self._clock()
        found = {one.task_id: one.claimed for one in completions if optimistic and one.claimed}
        as_claimed = frozenset(found)
        read = [completion.task_id for completion in completions if completion.task_id not in found]
        if read:
            await unique_keys.lock(connection, [one.task_id for one in completions])
            found |= await tasks.lock(connection, read, payload=False)
        answers = decide_ends(completions, found, now)
        ends = [answer for answer in answers if isinstance(answer, AttemptEnded)]
        await self._write(
            connection, ends, now, has_failure_hooks=self._has_failure_hooks, optimistic=as_claimed
        )
        return answers

    async def _commit_reports(self, reports: Sequence[Report]) -> Sequence[None]:
        async def work(connection: Connection) -> list[Task]:
            locked = await tasks.lock(connection, [one.task_id for one in reports], payload=False)
            valid = {
                one.task_id: one.progress
                for one in reports
                if one.task_id in locked and is_held(locked[one.task_id], one)
            }
            await claims.set_progress(connection, valid, self._clock())
            return [locked[task_id] for task_id in valid]

        moved = await self._database.write(work)
        self._after_commit.progressed([TaskProgressed(task.namespace, task.id) for task in moved])
        return [None] * len(reports)

    async def _write(
        self,
        connection: Connection,
        ends: Sequence[AttemptEnded],
        now: datetime,
        *,
        has_failure_hooks: bool,
        optimistic: frozenset[UUID] = frozenset(),
    ) -> None:
        if ends:
            done = {
                end.task.id: None if has_failure_hooks and end.is_failure else now for end in ends
            }
            await mark_ended(connection, ends, hook_done_at=done, optimistic=optimistic)


class _Claimed(NamedTuple):
    """The answers to claims, the tasks before and after those that start, and bells to ring."""

    answers: Sequence[Claim | NotNow | None]
    starts: Sequence[tuple[Task, Task]]
    bells: Sequence[Doorbell]


class _Undo(Exception):
    """Rolls a transaction back that was only tried."""

    def __init__(self, taken: bool) -> None:
        super().__init__("undone")
        self.taken = taken


def _claim(task: Task, fires: Mapping[UUID, Fire]) -> Claim:
    return Claim(task, fires.get(task.id))


def _bells_of_refused(answers: Iterable[Task | NotNow | None]) -> Iterator[Doorbell]:
    for answer in answers:
        if not isinstance(answer, NotNow):
            continue
        match answer.gate:
            case Gate.THREAD:
                yield doorbell_of(answer.due, is_aside=True)
            case Gate.QUEUE:
                # It waits in Redis: workers that know of the pause do not pop it.
                yield doorbell_of(answer.due)
            case Gate.QUARANTINE | Gate.PROCESS:
                pass
            case _:
                assert_never(answer.gate)


def _is_early(task: Task, earliest: datetime) -> bool:
    """Return whether the doorbell of a task, now spent, rang before it was due."""
    return task.status.waiting and not lifecycle.is_due(task, earliest)
