"""Read a task, its attempts, or a page of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import listing, tags, tasks
from taskq_server.crud.listing import Filter
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Attempt, TaskDetails
from taskq_server.services import cursor as cursors


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks without payload, result and errors; `next_cursor` is None on the last page."""

    items: tuple[TaskDetails, ...]
    next_cursor: str | None


class ReadService:
    """Read tasks. Concurrent reads of single tasks share a transaction.

    Args:
        database: holds the rows.
        namespace: of all tasks.
    """

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._reads: GroupCommit[UUID, TaskDetails] = GroupCommit(self._read)

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._reads.close()

    async def get(self, task_id: UUID) -> TaskDetails:
        """Return a task.

        Raises:
            TaskNotFound: the task does not exist.
        """
        return await self._reads(task_id)

    async def attempts(self, task_id: UUID) -> tuple[Attempt, ...]:
        """Return the ended attempts of a task, oldest first.

        Raises:
            TaskNotFound: the task does not exist.
        """
        return (await self._reads(task_id)).attempts

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Return one page, which may be short or empty and still have a cursor to the next one.

        Args:
            wanted: the filters.
            limit: most tasks in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            InvalidCursor: the cursor was not made for these filters.
        """
        start = None if cursor is None else cursors.read(cursor, wanted)

        async def read(connection: Connection) -> Page:
            names = wanted.tags
            tag_ids = await tags.find(connection, self._namespace, names) if names else {}
            if set(names) - tag_ids.keys():
                return Page((), None)
            scanned = await listing.page(
                connection, replace(self._filter(wanted, tag_ids), after=start, limit=limit)
            )
            tagged = await tasks.tag_names(connection, [task.id for task in scanned.tasks])
            found = tuple(TaskDetails(task, tagged.get(task.id, ())) for task in scanned.tasks)
            after = scanned.next_after
            return Page(found, None if after is None else cursors.write(after, wanted))

        return await self._database.read(read)

    async def _read(self, ids: Sequence[UUID]) -> Sequence[TaskDetails | Exception]:
        namespace = self._namespace
        found = await self._database.read(lambda c: tasks.details(c, namespace, ids))
        return [
            found.get(task_id) or TaskNotFound(f"there is no task {task_id}") for task_id in ids
        ]

    def _filter(self, wanted: TaskFilter, tag_ids: Mapping[str, int]) -> Filter:
        return Filter(
            namespace=self._namespace,
            statuses=tuple(sorted(set(wanted.statuses))),
            priorities=tuple(sorted(set(wanted.priorities))),
            tag_ids=tuple(tag_ids[name] for name in dict.fromkeys(wanted.tags)),
            handler=wanted.handler,
            queue=wanted.queue,
            created_after=wanted.created_after,
            created_before=wanted.created_before,
            title_prefix=wanted.title_prefix,
            descending=wanted.descending,
        )
