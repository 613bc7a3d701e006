"""What callers do with tasks: submit, get, list, update, delete, cancel, retry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskq_server.broker.dispatcher import Dispatcher, doorbell
from taskq_server.broker.notifier import Notifier
from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.turns import Turns
from taskq_server.crud import tasks
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain import lifecycle
from taskq_server.domain.errors import (
    FieldError,
    InvalidFields,
    TaskNotFound,
    VersionMismatch,
)
from taskq_server.domain.lifecycle import Edit
from taskq_server.domain.task import Attempt, Priority, Status, Task, TaskDetails
from taskq_server.schemas.task import TaskCreate, TaskUpdate
from taskq_server.services.catalog import Catalog
from taskq_server.services.inserts import Inserts, check_fingerprint
from taskq_server.services.quotas import Quotas, of_items, of_tags
from taskq_server.services.read import Listing, Page
from taskq_server.services.submission import IdempotencyKey, Submission
from taskq_server.services.tags import TagIds
from taskq_server.services.wait import Waiting

__all__ = ["IdempotencyKey", "Page", "Submitted", "SubmittedBatch", "TaskService"]

_RESET_TO_THE_HANDLERS = {"title", "max_retries", "timeout_seconds"}


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submitted task; `replayed` when its idempotency key had submitted it before."""

    details: TaskDetails
    replayed: bool


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """Submitted tasks, in the order they were sent."""

    details: tuple[TaskDetails, ...]
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service is made of."""

    database: Database
    clock: Callable[[], datetime]
    namespace: str
    catalog: Catalog
    submission: Submission
    tag_ids: TagIds
    quotas: Quotas
    dispatcher: Dispatcher
    notifier: Notifier
    wait_poll_seconds: float
    turns: Turns


class TaskService:
    """Everything that may be done with tasks from outside. Errors are those of `core.errors`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database = parts.database
        self._inserts = Inserts(parts.database, parts.namespace)
        self._reads: GroupCommit[UUID, TaskDetails] = GroupCommit(self._read)
        self._waiting = Waiting(self._reads, parts.notifier, parts.wait_poll_seconds)
        self._listing = Listing(parts.database, parts.namespace)
        self.wait = self._waiting.wait
        self.wait_any = self._waiting.wait_any
        self.follow = self._waiting.follow
        self.list = self._listing.page
        self.drain = self._waiting.drain

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        await self._inserts.close()
        await self._reads.close()
        await self._parts.quotas.close()
        await self._parts.tag_ids.close()

    async def submit(
        self,
        new: TaskCreate,
        *,
        key: IdempotencyKey | None = None,
        traceparent: str | None = None,
    ) -> Submitted:
        """Store a task; when this returns, it is committed.

        Raises:
            Rejected: the task cannot be taken, or the key was used with another body.
        """
        task = await self._parts.submission.task(new, traceparent, self._parts.clock())
        tags = tuple(sorted(set(new.tags)))
        quotas = self._parts.quotas
        if quotas.know(new.queue, tags):
            holder = await self._store(task, tags, key)
        else:
            async with (
                quotas.queues.admit({new.queue: "/queue"}),
                quotas.tags.admit(of_tags(new.tags)),
            ):
                holder = await self._store(task, tags, key)
        if key is not None and holder is not None:
            check_fingerprint(holder, key)
            return Submitted(await self.get(holder.task_id), replayed=True)
        self._parts.dispatcher.ring([doorbell(task)])
        return Submitted(TaskDetails(task, tags), replayed=False)

    async def _store(
        self, task: Task, tags: Sequence[str], key: IdempotencyKey | None
    ) -> KeyHolder | None:
        if not tags:
            return await self._inserts.one(_row(task, (), {}, key))
        return await self._parts.tag_ids.use(
            tags, lambda ids: self._inserts.one(_row(task, tags, ids, key))
        )

    async def submit_batch(
        self,
        items: Sequence[TaskCreate],
        *,
        key: IdempotencyKey | None = None,
        traceparent: str | None = None,
    ) -> SubmittedBatch:
        """Store all tasks or none, in one transaction.

        Raises:
            Rejected: a task cannot be taken (pointers begin with `/items/<n>`), or the key was
                used with another body.
        """
        new_tasks = await self._batch(items, traceparent)
        tags = [tuple(sorted(set(item.tags))) for item in items]

        async def insert(ids: Mapping[str, int]) -> list[TaskDetails] | None:
            rows = [
                _row(task, names, ids, key, position)
                for position, (task, names) in enumerate(zip(new_tasks, tags, strict=True))
            ]
            return await self._inserts.batch(rows, key)

        quotas = self._parts.quotas
        queues_at, tags_at = of_items(items)
        async with quotas.queues.admit(queues_at), quotas.tags.admit(tags_at):
            replayed = await self._parts.tag_ids.use(tags_at, insert)
        if replayed is not None:
            found = {details.task.id for details in replayed}
            # A task of the first batch that was deleted since is stored anew.
            again = [task for task in new_tasks if task.id in found]
            self._parts.dispatcher.ring([doorbell(task) for task in again])
            return SubmittedBatch(tuple(replayed), replayed=True)
        self._parts.dispatcher.ring([doorbell(task) for task in new_tasks])
        made = zip(new_tasks, tags, strict=True)
        return SubmittedBatch(tuple(TaskDetails(task, names) for task, names in made), False)

    async def get(self, task_id: UUID) -> TaskDetails:
        """Return a task.

        Raises:
            TaskNotFound: there is none.
        """
        return await self._reads(task_id)

    async def attempts(self, task_id: UUID) -> tuple[Attempt, ...]:
        """Return the ended attempts of a task, oldest first.

        Raises:
            TaskNotFound: there is no such task.
        """
        return (await self._reads(task_id)).attempts

    async def update(
        self, task_id: UUID, changes: TaskUpdate, *, version: int | None = None
    ) -> TaskDetails:
        """Change what the task's status allows to change.

        Args:
            task_id: the task.
            changes: only the fields that are set count; None resets them.
            version: change nothing unless the task has this version.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: a field is past changing.
            VersionMismatch: the task has another version.
            QuotaExceeded: a tag is new, and the namespace has as many as it may.
        """
        given = changes.model_fields_set
        tags = tuple(sorted(set(changes.tags or ())))
        edit = await self._edit(task_id, changes)

        async def work(connection: Connection, tag_ids: Mapping[str, int]) -> Task:
            before = await self._locked(connection, task_id)
            if version is not None and version != before.version:
                raise VersionMismatch(f"the task is at version {before.version}, not {version}")
            now = self._parts.clock()
            after = lifecycle.edit(before, edit, now=now)
            await tasks.write(connection, before, after)
            if "tags" in given:
                await tasks.set_tags(connection, task_id, list(tag_ids.values()), now)
            return after

        async with self._parts.quotas.tags.admit(of_tags(changes.tags or ())):
            after = await self._parts.tag_ids.use(
                tags, lambda ids: self._database.write(lambda c: work(c, ids))
            )
        if after.status.waiting and given & {"priority", "run_at"}:
            self._parts.dispatcher.ring([doorbell(after)])
        self._parts.notifier.changed([(self._parts.namespace, task_id)])
        return await self.get(task_id)

    async def delete(self, task_id: UUID) -> None:
        """Delete a task with all that belongs to it.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: it is running.
        """

        async def work(connection: Connection) -> None:
            task = await self._locked(connection, task_id)
            lifecycle.check_deletable(task)
            await tasks.remove(connection, [task], self._parts.clock())

        await self._database.write(work)
        self._parts.notifier.changed([(self._parts.namespace, task_id)])

    async def cancel(self, task_id: UUID) -> TaskDetails:
        """Cancel a task at once while it waits; ask its worker to while it runs.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: it succeeded or failed.
        """
        after = await self._decide(task_id, lifecycle.cancel)
        if after.status is Status.RUNNING:
            self._parts.notifier.cancel([(self._parts.namespace, task_id)])
        self._parts.notifier.changed([(self._parts.namespace, task_id)])
        return await self.get(task_id)

    async def retry(self, task_id: UUID) -> TaskDetails:
        """Queue a failed or cancelled task again, with all its retries.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: it is neither failed nor cancelled.
        """
        after = await self._decide(task_id, lifecycle.retry)
        self._parts.dispatcher.ring([doorbell(after)])
        self._parts.notifier.changed([(self._parts.namespace, task_id)])
        return await self.get(task_id)

    async def _decide(self, task_id: UUID, decision: Callable[..., Task]) -> Task:
        async def work(connection: Connection) -> Task:
            before = await self._locked(connection, task_id)
            after = decision(before, now=self._parts.clock())
            await tasks.write(connection, before, after)
            return after

        return await self._database.write(work)

    async def _locked(self, connection: Connection, task_id: UUID) -> Task:
        locked = await tasks.lock(connection, [task_id], payload=False)
        task = locked.get(task_id)
        if task is None or task.namespace != self._parts.namespace:
            raise TaskNotFound(f"there is no task {task_id}")
        return task

    async def _edit(self, task_id: UUID, changes: TaskUpdate) -> Edit:
        given = frozenset(changes.model_fields_set - {"tags"})
        title, retries, timeout = changes.title, changes.max_retries, changes.timeout_seconds
        if any(getattr(changes, name) is None for name in given & _RESET_TO_THE_HANDLERS):
            name = (await self.get(task_id)).task.handler
            handler = await self._parts.catalog.require(name)
            title = name if title is None else title
            retries = handler.max_retries if retries is None else retries
            timeout = handler.timeout_seconds if timeout is None else timeout
        return Edit(
            given=given,
            title=title or "",
            description=changes.description,
            priority=Priority.from_label(changes.priority or "normal"),
            max_retries=retries or 0,
            timeout_seconds=timeout or 0.0,
            run_at=changes.run_at,
        )

    async def _batch(self, items: Sequence[TaskCreate], traceparent: str | None) -> list[Task]:
        made: list[Task] = []
        errors: list[FieldError] = []
        first: InvalidFields | None = None
        now = self._parts.clock()
        pace = self._parts.turns.pace()
        for position, item in enumerate(items):
            await pace.rest()
            try:
                made.append(await self._parts.submission.task(item, traceparent, now))
            except InvalidFields as error:
                first = first or error
                errors += [
                    FieldError(f"/items/{position}{one.pointer}", one.code, one.detail)
                    for one in error.errors
                ]
        if first:
            raise type(first)("items of the batch cannot be taken; nothing was stored", errors)
        return made

    async def _read(self, ids: Sequence[UUID]) -> Sequence[TaskDetails | Exception]:
        namespace = self._parts.namespace
        found = await self._database.read(lambda c: tasks.details(c, namespace, ids))
        return [
            found.get(task_id) or TaskNotFound(f"there is no task {task_id}") for task_id in ids
        ]


def _row(
    task: Task,
    tags: Sequence[str],
    tag_ids: Mapping[str, int],
    key: IdempotencyKey | None,
    position: int = 0,
) -> NewRow:
    return NewRow(
        task,
        tuple(tag_ids[name] for name in tags),
        key.hash(position) if key else None,
        key.fingerprint if key else None,
    )
