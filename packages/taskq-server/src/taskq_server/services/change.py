"""Change tasks that are stored: update, delete, cancel, retry."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import tasks, unique_keys
from taskq_server.domain import lifecycle
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import AUTHORIZATION, TaskNotFound, VersionMismatch
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.requests import Edit, TaskChanges
from taskq_server.domain.task import Priority, Status, Task, TaskDetails
from taskq_server.domain.unique import Holder
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.catalog import Catalog
from taskq_server.services.quotas import Quotas, of_tags
from taskq_server.services.read import ReadService
from taskq_server.services.tags import TagIds
from taskq_server.services.task_log import AS_DEFAULT, TaskLog
from taskq_server.services.unique import taken

_RESET_TO_THE_HANDLERS = {"title", "tags", "priority", "max_retries", "timeout_seconds"}
_WHEN_IT_RUNS = {"priority", "run_at"}


class ChangeService:
    """Change tasks as their status allows it.

    Every method takes any task of the caller's namespace, and returns its outline if the caller
    does not see it. What decides when a task runs needs the right to run its handler.

    Args:
        database: holds the rows.
        catalog: knows what handlers reset to.
        tag_ids: finds the ids of tags, or makes them.
        quotas: say how many names may be in use, and how many tasks may wait.
        read: reads what a task has become.
        after_commit: tells what has changed.
        clock: aware UTC.
        log: tells of tasks that end.
    """

    def __init__(
        self,
        *,
        database: Database,
        catalog: Catalog,
        tag_ids: TagIds,
        quotas: Quotas,
        read: ReadService,
        after_commit: AfterCommit,
        clock: Callable[[], datetime],
        log: TaskLog = AS_DEFAULT,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._tag_ids = tag_ids
        self._quotas = quotas
        self._read = read
        self._after_commit = after_commit
        self._clock = clock
        self._log = log

    async def update(
        self, caller: Caller, task_id: UUID, changes: TaskChanges, *, version: int | None = None
    ) -> TaskDetails:
        """Change what the task's status allows to change.

        Args:
            caller: of the task's namespace.
            task_id: the task.
            changes: only the fields that are set count; None resets them.
            version: change nothing unless the task has this version.

        Raises:
            TaskNotFound: there is no such task.
            PermissionDenied: `priority` or `run_at` is given, and the caller may not run the
                task's handler.
            IllegalTransition: a field is past changing.
            VersionMismatch: the task has another version.
            QuotaExceeded: a tag is new, and the namespace has as many as it may.
        """
        given = changes.given
        changes = await self._reset(caller, task_id, changes)
        wanted_tags = changes.tags or ()
        tags = tuple(sorted(set(wanted_tags)))
        edit = _edit(changes)

        async def work(connection: Connection, tag_ids: Mapping[str, int]) -> tuple[Task, Task]:
            before = await _locked(connection, caller, task_id)
            caller.check_may_run(
                {f"/{name}": before.handler for name in sorted(given & _WHEN_IT_RUNS)}
            )
            if version is not None and version != before.version:
                raise VersionMismatch(f"the task is at version {before.version}, not {version}")
            now = self._clock()
            after = lifecycle.edit(before, edit, now=now)
            await tasks.write(connection, before, after)
            if "tags" in given:
                await tasks.set_tags(connection, task_id, list(tag_ids.values()), now)
            return before, after

        async with self._quotas.tags.admit(caller, of_tags(wanted_tags)):
            before, after = await self._tag_ids.use(
                caller, tags, lambda ids: self._database.write(lambda c: work(c, ids))
            )
        self._after_commit.changed(before, after)
        return await self._read.shown(caller, task_id)

    async def delete(self, caller: Caller, task_id: UUID) -> None:
        """Delete a task with all that belongs to it.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: it is running.
        """

        async def work(connection: Connection) -> Task:
            task = await _locked(connection, caller, task_id)
            lifecycle.check_deletable(task)
            await tasks.remove(connection, [task], self._clock())
            return task

        self._after_commit.changed(await self._database.write(work), None)

    async def cancel(self, caller: Caller, task_id: UUID) -> TaskDetails:
        """Cancel a task at once while it waits; ask its worker to while it runs.

        Raises:
            TaskNotFound: there is no such task.
            IllegalTransition: it succeeded or failed.
        """
        return await self._decide(caller, task_id, lifecycle.cancel)

    async def retry(self, caller: Caller, task_id: UUID) -> TaskDetails:
        """Queue a failed or cancelled task again, with all its retries.

        Raises:
            TaskNotFound: there is no such task.
            PermissionDenied: the caller may not run its handler.
            IllegalTransition: it is neither failed nor cancelled.
            UniqueConflict: another task holds its unique key.
            QuotaExceeded: as many tasks of the namespace wait as may.
        """

        def retry(task: Task, *, now: datetime) -> Task:
            caller.check_may_run({AUTHORIZATION: task.handler})
            return lifecycle.retry(task, now=now)

        waiting = self._quotas.waiting
        if waiting.is_limited:  # what forbids it for good is said first
            retry((await self._read.shown(caller, task_id)).task, now=self._clock())
        async with waiting.places(caller, 1, None):
            return await self._decide(caller, task_id, retry, begins_to_wait=True)

    async def _decide(
        self,
        caller: Caller,
        task_id: UUID,
        decision: Callable[..., Task],
        *,
        begins_to_wait: bool = False,
    ) -> TaskDetails:
        async def work(connection: Connection) -> tuple[Task, Task]:
            holder = await _retaken(connection, caller, task_id) if begins_to_wait else None
            before = await _locked(connection, caller, task_id)
            after = decision(before, now=self._clock())
            if holder is not None:
                raise taken(holder)
            await tasks.write(connection, before, after)
            return before, after

        before, after = await self._database.write(work)
        self._after_commit.changed(before, after)
        if after.status is Status.CANCELLED and before.status.waiting:
            self._log.cancelled(after)
        return await self._read.shown(caller, task_id)

    async def _reset(self, caller: Caller, task_id: UUID, changes: TaskChanges) -> TaskChanges:
        """Return the changes with what the handler says in the place of None."""
        given = changes.given & _RESET_TO_THE_HANDLERS
        to_reset = {name for name in given if getattr(changes, name) is None}
        if not to_reset:
            return changes
        name = (await self._read.shown(caller, task_id)).task.handler
        handler = (await self._catalog.require(caller, name)).handler
        handlers = TaskChanges(
            given=changes.given,
            title=name,
            tags=handler.defaults.tags,
            priority=handler.defaults.priority,
            max_retries=handler.max_retries,
            timeout_seconds=handler.timeout_seconds,
        )
        return replace(changes, **{name: getattr(handlers, name) for name in to_reset})


def _edit(changes: TaskChanges) -> Edit:
    priority = changes.priority
    return Edit(
        given=changes.given - {"tags"},
        title=changes.title or "",
        description=changes.description,
        priority=Priority.NORMAL if priority is None else priority,
        max_retries=changes.max_retries or 0,
        timeout_seconds=changes.timeout_seconds or 0.0,
        run_at=changes.run_at,
    )


async def _retaken(connection: Connection, caller: Caller, task_id: UUID) -> Holder | None:
    """Take the unique key of a task again, if it has one; return who else holds it."""
    if not is_marked(task_id, Mark.UNIQUE):
        return None
    await _require(connection, caller, task_id)
    return (await unique_keys.retake(connection, caller.namespace, [task_id])).get(task_id)


async def _require(connection: Connection, caller: Caller, task_id: UUID) -> None:
    if not await tasks.exists(connection, caller.namespace, task_id):
        raise TaskNotFound(f"there is no task {task_id}")


async def _locked(connection: Connection, caller: Caller, task_id: UUID) -> Task:
    # First without a lock: InnoDB waits for a row that it finds by its id, before it looks at the
    # namespace, so a caller would wait for the locks of others and learn what they have.
    await _require(connection, caller, task_id)
    await unique_keys.lock(connection, [task_id])
    task = (await tasks.lock(connection, [task_id], payload=False)).get(task_id)
    if task is None:
        raise TaskNotFound(f"there is no task {task_id}")
    return task
