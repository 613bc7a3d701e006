"""What a worker does with tasks: claim, report, end an attempt. All of it in group commits."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from taskq_server.broker.dispatcher import (
    Dispatcher,
    Doorbell,
    doorbell,
    doorbell_aside,
    doorbell_when_due,
)
from taskq_server.broker.notifier import Notifier
from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import attempts, handlers, tasks
from taskq_server.domain import lifecycle
from taskq_server.domain.errors import (
    IllegalTransition,
    StaleAttempt,
    TaskqError,
)
from taskq_server.domain.lifecycle import Ended
from taskq_server.domain.skew import pause_after
from taskq_server.domain.task import Attempt, Status, Task

Decision = Callable[[Task, datetime], Ended]
"""How a locked task goes on at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A worker's wish to run one attempt.

    Attributes:
        task_id: the task.
        attempt: the attempt the doorbell rang for; another one is none of its business.
        worker_id: who asks.
        handlers: what the worker can run.
        cells: how many tasks more it could give a process of their own, now.
        sync: which of its handlers need a thread.
        threads: how many of some tasks it could give a thread, in this order.
    """

    task_id: UUID
    attempt: int
    worker_id: UUID
    handlers: frozenset[str]
    cells: Callable[[], int]
    sync: frozenset[str] = frozenset()
    threads: Callable[[Sequence[Task]], int] = len


class Refusal(Enum):
    """Why an attempt is not the worker's to run."""

    STALE = "somebody else has it, it is not due, or it is not for this worker"
    CROWDED = "the next loss is its last, and there is no process of its own for it"
    NO_THREAD = "its handler needs a thread, and the worker has none left for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of an attempt, as its worker reports it.

    Attributes:
        task_id: the task.
        attempt: the attempt that ended.
        worker_id: who ran it.
        decide: the lifecycle's decision, applied to the locked row.
        claimed: the task as it was claimed, if the decision makes it final, and it has probably not
            changed since: it need not be read again.
        weight: bytes it adds to its transaction, about.
    """

    task_id: UUID
    attempt: int
    worker_id: UUID
    decide: Decision
    claimed: Task | None = None
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Progress of a running attempt, as JSON text."""

    task_id: UUID
    attempt: int
    worker_id: UUID
    progress: str


class AttemptService:
    """The worker's side of the life of tasks.

    Args:
        database: holds the rows.
        clock: the database's time.
        dispatcher: rings for what waits again.
        notifier: tells who waits for what ended.
        hooked: whether this worker has `on_retry` or `on_job_failure` hooks, so that the errors
            of its tasks stay marked until a hook has run.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        dispatcher: Dispatcher,
        notifier: Notifier,
        *,
        hooked: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._dispatcher = dispatcher
        self._notifier = notifier
        self._hooked = hooked
        self.claim: GroupCommit[Ask, Task | Refusal] = GroupCommit(self._claim)
        self.end: GroupCommit[Ending, Ended] = GroupCommit(
            self._end, weight=lambda ending: 500 + ending.weight
        )
        self.report: GroupCommit[Report, None] = GroupCommit(self._report)

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        await self.claim.close()
        await self.end.close()
        await self.report.close()

    async def would_take(self, ending: Ending) -> bool:
        """Return whether the database would take this end, without keeping it."""

        async def work(connection: Connection) -> None:
            answers = await self._apply(connection, [ending])
            raise _Undo(isinstance(answers[0], Ended))

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
            return pause_after(await attempts.put_off(connection, task.id))

        return await self._database.read(look)

    async def cancels_asked(self, task_ids: Collection[UUID]) -> list[UUID]:
        """Return which of some tasks run although somebody asked to cancel them."""
        return await self._database.read(lambda c: attempts.cancels_asked(c, task_ids))

    async def rescue(
        self, task_ids: Sequence[UUID], is_orphan: Callable[[Task], bool]
    ) -> list[Ended]:
        """Take tasks back from workers that are gone.

        Args:
            task_ids: candidates.
            is_orphan: looks again, now that the row is locked.
        """

        async def work(connection: Connection) -> list[Ended]:
            now = self._clock()
            locked = await tasks.lock(connection, task_ids, payload=False)
            running = [task for task in locked.values() if task.status is Status.RUNNING]
            ends = [lifecycle.rescue(task, now=now) for task in running if is_orphan(task)]
            # Whether there are hooks is for a worker to say that has the handler.
            await self._write(connection, ends, now, hooked=True)
            return ends

        ends = await self._database.write(work)
        self._announce(ends)
        return ends

    async def hooks_done(self, keys: Sequence[tuple[UUID, int]]) -> None:
        """Remember that nothing is left to do for the hooks of these ended attempts."""
        now = self._clock()
        await self._database.write(lambda c: attempts.mark_hooks_done(c, keys, now))

    async def pending_hooks(
        self, *, before: datetime, handlers: Sequence[str], limit: int
    ) -> list[tuple[Attempt, Task]]:
        """Return ended attempts whose hook should have run before `before`."""
        return await self._database.read(
            lambda c: attempts.pending_hooks(c, before=before, handlers=handlers, limit=limit)
        )

    async def _claim(self, asks: Sequence[Ask]) -> Sequence[Task | Refusal | Exception]:
        async def work(connection: Connection) -> tuple[list[Task | Refusal], list[Doorbell]]:
            now, earliest = self._clock(), self._clock.earliest()
            locked = await tasks.lock(connection, [ask.task_id for ask in asks])
            answers = _decide_claims(asks, dict(locked), now, earliest)
            aside = _refuse_without_thread(asks, answers, locked)
            claimed: dict[UUID, list[Task]] = {}
            for ask, answer in zip(asks, answers, strict=True):
                if isinstance(answer, Task):
                    claimed.setdefault(ask.worker_id, []).append(locked[answer.id])
            for worker_id, waiting in claimed.items():
                await attempts.mark_claimed(connection, waiting, worker_id=worker_id, now=now)
            early = [one for one in locked.values() if _is_early(one, earliest)]
            return answers, [*map(doorbell_when_due, early), *map(doorbell_aside, aside)]

        answers, bells = await self._database.write(work)
        self._dispatcher.ring(bells)
        return answers

    async def _end(self, endings: Sequence[Ending]) -> Sequence[Ended | Exception]:
        try:
            answers = await self._database.write(lambda c: self._apply(c, endings, trusting=True))
        except attempts.Changed:
            answers = await self._database.write(lambda c: self._apply(c, endings))
        self._announce([answer for answer in answers if isinstance(answer, Ended)])
        return answers

    async def _apply(
        self, connection: Connection, endings: Sequence[Ending], *, trusting: bool = False
    ) -> list[Ended | TaskqError]:
        """Write ends.

        Args:
            connection: in a transaction.
            endings: of attempts.
            trusting: whether to write ends of tasks without reading them again that are as they
                were claimed, which the write itself finds out.
        """
        now = self._clock()
        found = {one.task_id: one.claimed for one in endings if trusting and one.claimed}
        unread = frozenset(found)
        read = [ending.task_id for ending in endings if ending.task_id not in found]
        if read:
            found |= await tasks.lock(connection, read, payload=False)
        answers = _decide_ends(endings, found, now)
        ends = [answer for answer in answers if isinstance(answer, Ended)]
        await self._write(connection, ends, now, hooked=self._hooked, unread=unread)
        return answers

    async def _report(self, reports: Sequence[Report]) -> Sequence[None]:
        async def work(connection: Connection) -> list[Task]:
            locked = await tasks.lock(connection, [one.task_id for one in reports], payload=False)
            valid = {
                one.task_id: one.progress
                for one in reports
                if one.task_id in locked and _is_held(locked[one.task_id], one)
            }
            await attempts.set_progress(connection, valid, self._clock())
            return [locked[task_id] for task_id in valid]

        moved = await self._database.write(work)
        self._notifier.changed([(task.namespace, task.id) for task in moved])
        return [None] * len(reports)

    async def _write(
        self,
        connection: Connection,
        ends: Sequence[Ended],
        now: datetime,
        *,
        hooked: bool,
        unread: frozenset[UUID] = frozenset(),
    ) -> None:
        if ends:
            done = {end.task.id: None if hooked and end.calls_hooks else now for end in ends}
            await attempts.mark_ended(connection, ends, hook_done_at=done, unread=unread)

    def _announce(self, ends: Sequence[Ended]) -> None:
        self._notifier.changed([(end.task.namespace, end.task.id) for end in ends])
        self._dispatcher.ring([doorbell(end.task) for end in ends if end.task.status.waiting])


class _Undo(Exception):
    """Rolls a transaction back that was only tried."""

    def __init__(self, taken: bool) -> None:
        super().__init__("undone")
        self.taken = taken


def _decide_claims(
    asks: Sequence[Ask], locked: dict[UUID, Task], now: datetime, earliest: datetime
) -> list[Task | Refusal]:
    answers: list[Task | Refusal] = []
    cells = 0
    for ask in asks:
        answer = _decide_claim(ask, locked, now, earliest)
        if isinstance(answer, Task):
            if answer.is_last_chance and cells >= ask.cells():
                answer = Refusal.CROWDED
            else:
                cells += answer.is_last_chance
                locked[ask.task_id] = answer
        answers.append(answer)
    return answers


def _refuse_without_thread(
    asks: Sequence[Ask], answers: list[Task | Refusal], waiting: Mapping[UUID, Task]
) -> list[Task]:
    """Refuse the claims for which there is no thread, the last by score, and return their tasks.

    The process of a suspect has threads of its own.
    """
    claims = sorted(
        (waiting[ask.task_id].score or 0, number)
        for number, (ask, answer) in enumerate(zip(asks, answers, strict=True))
        if ask.sync and isinstance(answer, Task) and _needs_thread(answer, ask)
    )
    if not claims:
        return []
    numbers = [number for _, number in claims]
    wanted = [waiting[asks[number].task_id] for number in numbers]
    room = asks[0].threads(wanted)
    for number in numbers[room:]:
        answers[number] = Refusal.NO_THREAD
    return wanted[room:]


def _needs_thread(task: Task, ask: Ask) -> bool:
    return task.handler in ask.sync and not task.is_suspect


def _decide_claim(
    ask: Ask, locked: dict[UUID, Task], now: datetime, earliest: datetime
) -> Task | Refusal:
    task = locked.get(ask.task_id)
    if task is None or task.attempt + 1 != ask.attempt or task.handler not in ask.handlers:
        return Refusal.STALE
    try:
        return lifecycle.claim(task, worker_id=ask.worker_id, now=now, earliest=earliest)
    except IllegalTransition:
        return Refusal.STALE


def _is_early(task: Task, earliest: datetime) -> bool:
    """Return whether the doorbell of a task, now spent, rang before it was due."""
    return task.status.waiting and not lifecycle.is_due(task, earliest)


def _decide_ends(
    endings: Sequence[Ending], found: dict[UUID, Task], now: datetime
) -> list[Ended | TaskqError]:
    answers: list[Ended | TaskqError] = []
    for ending in endings:
        answer = _decide_end(ending, found, now)
        if isinstance(answer, Ended):
            found[ending.task_id] = answer.task
        answers.append(answer)
    return answers


def _decide_end(ending: Ending, locked: dict[UUID, Task], now: datetime) -> Ended | TaskqError:
    task = locked.get(ending.task_id)
    if task is None:
        return StaleAttempt(f"task {ending.task_id} does not exist any more")
    try:
        lifecycle.hold(task, worker_id=ending.worker_id, attempt=ending.attempt)
        return ending.decide(task, now)
    except (StaleAttempt, IllegalTransition) as error:
        return error


def _is_held(task: Task, report: Report) -> bool:
    held = (task.status, task.worker_id, task.attempt)
    return held == (Status.RUNNING, report.worker_id, report.attempt)
