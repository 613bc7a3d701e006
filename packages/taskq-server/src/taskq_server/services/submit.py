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
from taskq_server.services.inserts import Inserts, check_fingerprint
from taskq_server.services.quotas import Quotas, of_items, of_tags
from taskq_server.services.read import ReadService, as_shown
from taskq_server.services.submission import IdempotencyKey, Made, Submission
from taskq_server.services.tags import TagIds


class Submitted(NamedTuple):
    """A submitted task; `replayed` when its idempotency key had submitted it before.

    A task that another caller has submitted is an outline, unless this one sees it.

    Attributes:
        details: the task.
        replayed: whether it was submitted before.
        has_listener: whether a live worker listens to its queue, as far as it waits.
    """

    details: TaskDetails
    replayed: bool
    has_listener: bool = True


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """Submitted tasks as in `Submitted`, in the order they were sent.

    Attributes:
        details: the tasks.
        replayed: whether they were submitted before.
        has_listeners: whether a live worker listens to each queue in which one of them waits.
    """

    details: tuple[TaskDetails, ...]
    replayed: bool
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
                holder = await store(caller, made, tags, key)
                if key is not None and holder is not None:
                    return await self._replayed(caller, new, key, holder, work)
                work.note_message(task.id)
            self._after_commit.submitted([task])
        except Exception as error:
            self._count_unmade(caller, new, _result_of(error))
            raise
        has_listener = self._submission.has_listener(caller, task)
        details = TaskDetails(task, tags, keep_seconds=made.keep_seconds)
        return Submitted(details, False, has_listener)

    async def _replayed(
        self, caller: Caller, new: NewTask, key: IdempotencyKey, holder: KeyHolder, work: Work
    ) -> Submitted:
        check_fingerprint(holder, key)
        work.note_message(holder.task_id, replayed=True)
        self._count_unmade(caller, new, SubmitResult.REPLAYED)
        details = await self._read.shown(caller, holder.task_id)
        return Submitted(details, True, self._have_listeners(caller, [details.task]))

    async def _admit_and_store(
        self,
        caller: Caller,
        made: Made,
        tags: tuple[str, ...],
        key: IdempotencyKey | None,
    ) -> KeyHolder | None:
        quotas = self._quotas
        async with (
            quotas.queues.admit(caller, {made.task.queue: "/queue"}),
            quotas.tags.admit(caller, of_tags(made.tags)),
            quotas.waiting.places(caller, 1, key),
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
    ) -> Awaitable[KeyHolder | None]:
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
        new_tasks = [each.task for each in made]
        tags = [tuple(sorted(set(each.tags))) for each in made]

        async def insert(ids: Mapping[str, int]) -> list[TaskDetails] | None:
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
            quotas.waiting.places(caller, len(new_tasks), key),
        ):
            replayed = await self._tag_ids.use(caller, tags_at, insert)
        if replayed is not None:
            found = {details.task.id for details in replayed}
            # A task of the first batch that was deleted since is stored anew.
            again = [task for task in new_tasks if task.id in found]
            self._after_commit.submitted(again)
            new_ids = {task.id for task in again}
            for details in replayed:
                if details.task.id not in new_ids:
                    task = details.task
                    self._metrics.count(task.handler, task.queue, SubmitResult.REPLAYED)
            shown = tuple(as_shown(caller, details) for details in replayed)
            heard = self._have_listeners(caller, (details.task for details in replayed))
            return SubmittedBatch(shown, True, heard)
        self._after_commit.submitted(new_tasks)
        stored = tuple(
            TaskDetails(each.task, names, keep_seconds=each.keep_seconds)
            for each, names in zip(made, tags, strict=True)
        )
        return SubmittedBatch(stored, False, self._have_listeners(caller, new_tasks))

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
    )
