"""Read a task, its attempts, or a page of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import listing, schedules, tags, tasks
from taskq_server.crud.filters import Filter
from taskq_server.crud.tasks import Own
from taskq_server.domain import scopes
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Address, Attempt, TaskDetails
from taskq_server.services import cursor as cursors


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks without payload, result and errors; `next_cursor` is None on the last page."""

    items: tuple[TaskDetails, ...]
    next_cursor: str | None


class ReadService:
    """Read tasks. Concurrent reads of single tasks share a transaction.

    A caller without `tasks:read` sees the tasks that its own key has submitted, and finds others as
    little as those that do not exist. Answers to what it does to others are their outlines.

    Args:
        database: holds the rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: GroupCommit[Address, TaskDetails] = GroupCommit(
            self._read, name="reads", observer=database.observer
        )
        self._own_reads: GroupCommit[Own, TaskDetails] = GroupCommit(
            self._read_own, name="own_reads", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._reads.close()
        await self._own_reads.close()

    async def get(self, caller: Caller, task_id: UUID) -> TaskDetails:
        """Return a task that the caller sees.

        Raises:
            TaskNotFound: the task does not exist, or the caller does not see it.
        """
        address = (caller.namespace, task_id)
        if caller.may(scopes.READ):
            return await self._reads(address)
        if caller.key_id is None:
            raise _not_found(address)
        return await self._own_reads((address, caller.key_id))

    async def shown(self, caller: Caller, task_id: UUID) -> TaskDetails:
        """Return any task of the caller's namespace, or its outline if the caller does not see it.

        It is for answers to callers who change a task, or submit it for another time.

        Raises:
            TaskNotFound: the task does not exist.
        """
        return as_shown(caller, await self._reads((caller.namespace, task_id)))

    async def attempts(self, caller: Caller, task_id: UUID) -> tuple[Attempt, ...]:
        """Return the ended attempts of a task, oldest first.

        Raises:
            TaskNotFound: the task does not exist, or the caller does not see it.
        """
        return (await self.get(caller, task_id)).attempts

    async def list(
        self, caller: Caller, wanted: TaskFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Return one page, which may be short or empty and still have a cursor to the next one.

        Args:
            caller: sees the tasks of its namespace.
            wanted: the filters.
            limit: most tasks in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            InvalidCursor: the cursor was not made for these filters.
        """
        start = None if cursor is None else cursors.read(cursor, wanted)

        async def read(connection: Connection) -> Page:
            filters = await filter_of(connection, caller.namespace, wanted, start, limit)
            if filters is None:
                return Page((), None)
            scanned = await listing.page(connection, filters)
            ids = [task.id for task in scanned.tasks]
            tagged = await tasks.tag_names(connection, ids)
            fires = await schedules.fires_of(connection, ids)
            found = tuple(
                TaskDetails(task, tagged.get(task.id, ()), schedule=fires.get(task.id))
                for task in scanned.tasks
            )
            after = scanned.next_after
            return Page(found, None if after is None else cursors.write(after, wanted))

        return await self._database.read(read)

    async def _read(self, asked: Sequence[Address]) -> Sequence[TaskDetails | Exception]:
        found = await self._database.read(lambda c: tasks.details(c, asked))
        return [found.get(one) or _not_found(one) for one in asked]

    async def _read_own(self, asked: Sequence[Own]) -> Sequence[TaskDetails | Exception]:
        found = await self._database.read(lambda c: tasks.own_details(c, asked))
        return [found.get(one) or _not_found(one[0]) for one in asked]


async def filter_of(
    connection: Connection,
    namespace: str,
    wanted: TaskFilter,
    after: UUID | None = None,
    limit: int = 50,
) -> Filter | None:
    """Return filters in the database's terms; None if there is no such tag, and so no such task."""
    names = [(namespace, name) for name in dict.fromkeys(wanted.tags)]
    tag_ids = await tags.find(connection, names) if names else {}
    if len(tag_ids) < len(names):
        return None
    return Filter.of(
        wanted,
        namespace=namespace,
        tag_ids=tuple(tag_ids[name] for name in names),
        after=after,
        limit=limit,
    )


def as_shown(caller: Caller, details: TaskDetails) -> TaskDetails:
    """Return a task as its caller sees it: in full, or as an outline."""
    return details if caller.sees(details.task.submitted_by) else details.outline


def _not_found(address: Address) -> TaskNotFound:
    return TaskNotFound(f"there is no task {address[1]}")
