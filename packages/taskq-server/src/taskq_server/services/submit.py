"""Submit tasks: one, or a batch of which all are stored or none."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from taskq_server.core.spans import Work
from taskq_server.core.tracing import Tracing
from taskq_server.core.turns import Turns
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, InvalidFields, TaskqError, Unavailable
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task, TaskDetails
from taskq_server.metrics.submits import SubmitResult, Submits
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.inserts import Inserts
from taskq_server.services.quotas import Quotas, of_items, of_tags
from taskq_server.services.read import ReadService, as_shown
from taskq_server.services.storing import Answer, StoredBatch, check_fingerprint
from taskq_server.services.submission import IdempotencyKey, Made, Submission
from taskq_server.services.tags import TagIds
from taskq_server.services.unique import Conflict


class Submitted(NamedTuple):
    """A submitted task; `replayed` when its idempotency key had submitted it before.

    A task that another caller has submitted is an outline, unless this one sees it; of one that
    holds the unique key it shows no more than its id and its status.

    Attributes:
        details: the task.
        replayed: whether it was submitted before.
        is_conflict: whether it is another task that holds the unique key.
        has_listener: whether a live worker listens to its queue, as far as it waits.
    """

    details: TaskDetails
    replayed: bool = False
    is_conflict: bool = False
    has_listener: bool = True

    @property
    def is_new(self) -> bool:
        """Whether a task was stored."""
        return not (self.replayed or self.is_conflict)


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """Submitted tasks as in `Submitted`, in the order they were sent.

    Attributes:
        details: the tasks.
        replayed: whether they were submitted before.
        has_conflict: whether one of them is another task that holds a unique key.
        is_new: whether a task was stored, and nothing of it before.
        has_listeners: whether a live worker listens to each queue in which one of them waits.
    """

    details: tuple[TaskDetails, ...]
    replayed: bool
    has_conflict: bool
    is_new: bool
    has_listeners: bool = True


class SubmitService:
    """Store new tasks, and ring for them.

    Args:
        submission: makes rows of what callers ask for.
        inserts: stores the rows.
        tag_ids: finds the ids of tags, or makes them.
        quotas: say how many names may be in use.
        read: reads the first tasks of an idempotency key.
        after_commit: rings for what is stored.
        tracing: makes the spans of submits.
        clock: aware UTC.
        turns: what batches wait for that take long to check.
        metrics: count what nothing was stored for; `inserts` count what was.
    """

    def __init__(
        self,
        *,
        submission: Submission,
        inserts: Inserts,
        tag_ids: TagIds,
        quotas: Quotas,
        read: ReadService,
        after_commit: AfterCommit,
        tracing: Tracing,
        clock: Callable[[], datetime],
        turns: Turns,
        metrics: Submits,
    ) -> None:
        self._submission = submission
        self._inserts = inserts
        self._tag_ids = tag_ids
        self._quotas = quotas
        self._read = read
        self._after_commit = after_commit
        self._tracing = tracing
        self._clock = clock
        self._turns = turns
        self._metrics = metrics

    async def close(self) -> None:
        """Wait for the transactions that are under way, those for tags and quotas included."""
        await self._inserts.close()
        await self._quotas.close()
        await self._tag_ids.close()

    async def one(
        self,
        caller: Caller,
        new: NewTask,
        *,
        key: IdempotencyKey | None = None,
        traceparent: str | None = None,
    ) -> Submitted:
        """Store a task; when this returns, it is committed.

        Raises:
            PermissionDenied: the caller may not submit to this handler, if there is one.
            Rejected: the task cannot be taken, or the key was used with another body.
        """
        try:
            caller.check_may_run({"/handler": new.handler})
            with self._tracing.submit(caller.namespace, (new.handler,), traceparent) as work:
                made = await self._submission.task(caller, new, work.traceparent, self._clock())
                task, tags = made.task, tuple(sorted(set(made.tags)))
                is_known = self._quotas.know(caller, task.queue, tags)
                store = self._store if is_known else self._admit_and_store
                answer = await store(caller, made, tags, key)
                if isinstance(answer, Conflict):
                    return self._conflicting(caller, new, answer, work)
                if key is not None and answer is not None:
                    return await self._replayed(caller, new, key, answer, work)
                work.note_message(task.id)
            self._after_commit.submitted([task])
        except Exception as error:
            self._count_unmade(caller, new, _result_of(error))
            raise
        has_listener = self._submission.has_listener(caller, task)
        return Submitted(_details(made, tags), has_listener=has_listener)

    async def _replayed(
        self, caller: Caller, new: NewTask, key: IdempotencyKey, holder: KeyHolder, work: Work
    ) -> Submitted:
        check_fingerprint(holder, key)
        work.note_message(holder.task_id, replayed=True)
        self._count_unmade(caller, new, SubmitResult.REPLAYED)
        details = await self._read.shown(caller, holder.task_id)
        heard = self._have_listeners(caller, [details.task])
        return Submitted(details, replayed=True, has_listener=heard)

    def _conflicting(
        self, caller: Caller, new: NewTask, conflict: Conflict, work: Work
    ) -> Submitted:
        task = conflict.details.task
        work.note_message(task.id, replayed=True)
        self._count_unmade(caller, new, SubmitResult.CONFLICT)
        self._tell_replaced([conflict])
        heard = self._have_listeners(caller, [task])
        return Submitted(conflict.shown_to(caller), is_conflict=True, has_listener=heard)

    def _tell_replaced(self, conflicts: Iterable[Conflict]) -> None:
        self._after_commit.changed_together(
            [(each.before, each.details.task) for each in conflicts if each.before is not None]
        )

    async def _admit_and_store(
        self,
        caller: Caller,
        made: Made,
        tags: tuple[str, ...],
        key: IdempotencyKey | None,
    ) -> Answer:
        quotas = self._quotas
        async with (
            quotas.queues.admit(caller, {made.task.queue: "/queue"}),
            quotas.tags.admit(caller, of_tags(made.tags)),
            quotas.waiting.places(caller, 1, key, made.unique),
        ):
            return await self._store(caller, made, tags, key)

    def _count_unmade(self, caller: Caller, new: NewTask, result: SubmitResult) -> None:
        self._metrics.count(new.handler, self._submission.queue_of(caller, new), result)

    def _have_listeners(self, caller: Caller, tasks: Iterable[Task]) -> bool:
        """Return whether a live worker listens to each queue in which some tasks wait."""
        waiting = (task for task in tasks if task.status.waiting)
        return all(self._submission.has_listener(caller, task) for task in waiting)

    def _store(
        self,
        caller: Caller,
        made: Made,
        tags: tuple[str, ...],
        key: IdempotencyKey | None,
    ) -> Awaitable[Answer]:
        if not tags:
            return self._inserts.one(_row(made, (), {}, key))
        return self._tag_ids.use(
            caller, tags, lambda ids: self._inserts.one(_row(made, tags, ids, key))
        )

    async def batch(
        self,
        caller: Caller,
        items: Sequence[NewTask],
        *,
        key: IdempotencyKey | None = None,
        traceparent: str | None = None,
    ) -> SubmittedBatch:
        """Store all tasks or none, in one transaction.

        Raises:
            PermissionDenied: the caller may not submit to some of the handlers.
            Rejected: a task cannot be taken (pointers begin with `/items/<n>`), or the key was
                used with another body.
        """
        try:
            return await self._all(caller, items, key, traceparent)
        except Exception as error:
            for item in items:
                self._count_unmade(caller, item, _result_of(error))
            raise

    async def _all(
        self,
        caller: Caller,
        items: Sequence[NewTask],
        key: IdempotencyKey | None,
        traceparent: str | None,
    ) -> SubmittedBatch:
        caller.check_may_run({f"/items/{n}/handler": item.handler for n, item in enumerate(items)})
        handlers = [item.handler for item in items]
        with self._tracing.submit(caller.namespace, handlers, traceparent) as work:
            return await self._store_all(
                caller, await self._batch(caller, items, work.traceparent), key
            )

    async def _store_all(
        self, caller: Caller, made: Sequence[Made], key: IdempotencyKey | None
    ) -> SubmittedBatch:
        tags = [tuple(sorted(set(each.tags))) for each in made]

        async def insert(ids: Mapping[str, int]) -> StoredBatch:
            rows = [
                _row(each, names, ids, key, position)
                for position, (each, names) in enumerate(zip(made, tags, strict=True))
            ]
            return await self._inserts.batch(rows, key)

        quotas = self._quotas
        queues_at, tags_at = of_items(made)
        async with (
            quotas.queues.admit(caller, queues_at),
            quotas.tags.admit(caller, tags_at),
            quotas.waiting.places(caller, len(made), key),
        ):
            stored = await self._tag_ids.use(caller, tags_at, insert)
        self._after_commit.submitted([one.task for one in made if stored.has_stored(one.task.id)])
        self._tell_replaced(stored.conflicts.values())
        for replay in stored.replays.values():
            self._metrics.count(replay.task.handler, replay.task.queue, SubmitResult.REPLAYED)
        for each in made:
            if each.task.id in stored.conflicts:
                self._metrics.count(each.task.handler, each.task.queue, SubmitResult.CONFLICT)
        shown = _shown(caller, zip(made, tags, strict=True), stored)
        return SubmittedBatch(
            shown,
            replayed=bool(stored.replays),
            has_conflict=bool(stored.conflicts),
            is_new=not stored.replays and len(stored.conflicts) < len(made),
            has_listeners=self._have_listeners(caller, (each.task for each in shown)),
        )

    async def _batch(
        self, caller: Caller, items: Sequence[NewTask], traceparent: str | None
    ) -> list[Made]:
        made: list[Made] = []
        errors: list[FieldError] = []
        first: InvalidFields | None = None
        now = self._clock()
        pace = self._turns.pace()
        for position, item in enumerate(items):
            await pace.rest()
            try:
                made.append(await self._submission.task(caller, item, traceparent, now))
            except InvalidFields as error:
                first = first or error
                errors += [
                    FieldError(f"/items/{position}{one.pointer}", one.code, one.detail)
                    for one in error.errors
                ]
        if first:
            raise type(first)("items of the batch cannot be taken; nothing was stored", errors)
        return made


def _result_of(error: Exception) -> SubmitResult:
    is_refused = isinstance(error, TaskqError) and not isinstance(error, Unavailable)
    return SubmitResult.REFUSED if is_refused else SubmitResult.FAILED


def _details(made: Made, tags: tuple[str, ...]) -> TaskDetails:
    unique = None if made.unique is None else made.unique.text
    return TaskDetails(made.task, tags, keep_seconds=made.keep_seconds, unique_key=unique)


def _shown(
    caller: Caller, made: Iterable[tuple[Made, tuple[str, ...]]], stored: StoredBatch
) -> tuple[TaskDetails, ...]:
    """Return the task that answers each item of a batch, as its caller may see it."""
    replaced = {one.details.task.id: one.details for one in stored.conflicts.values()}
    shown: list[TaskDetails] = []
    for each, tags in made:
        own = each.task.id
        if own in stored.replays:
            shown.append(as_shown(caller, stored.replays[own]))
        elif own in stored.conflicts:
            shown.append(stored.conflicts[own].shown_to(caller))
        else:
            # A later item of the same unique key may have replaced its payload.
            shown.append(replaced.get(own) or _details(each, tags))
    return tuple(shown)


def _row(
    made: Made,
    tags: Sequence[str],
    tag_ids: Mapping[str, int],
    key: IdempotencyKey | None,
    position: int = 0,
) -> NewRow:
    return NewRow(
        made.task,
        tuple([tag_ids[name] for name in tags]),
        key.hash(position) if key else None,
        key.fingerprint if key else None,
        made.keep_seconds,
        made.unique,
    )
