"""Read tasks: one, its attempts, or a page of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import listing, tags, tasks
from taskq_server.crud.listing import Filter
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.task import Attempt, Priority, Status, TaskDetails
from taskq_server.schemas.query import TaskQuery
from taskq_server.services import cursor


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks without payload, result and errors; `next_cursor` is None on the last page."""

    items: tuple[TaskDetails, ...]
    next_cursor: str | None


class ReadService:
    """Read tasks. Those who read one at the same time share a transaction.

    Args:
        database: holds the rows.
        namespace: of all tasks.
    """

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._reads: GroupCommit[UUID, TaskDetails] = GroupCommit(self._read)

    async def close(self) -> None:
        """Wait for the transactions that are under way."""
        await self._reads.close()

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

    async def list(self, query: TaskQuery) -> Page:
        """Return one page; it may be short, or empty, and still have a cursor to go on with.

        Raises:
            InvalidCursor: the cursor was not made for these filters.
        """
        start = cursor.read(query.cursor, query) if query.cursor is not None else None

        async def read(connection: Connection) -> Page:
            tag_ids = await tags.find(connection, self._namespace, query.tag) if query.tag else {}
            if set(query.tag) - tag_ids.keys():
                return Page((), None)
            scanned = await listing.page(connection, self._filter(query, tag_ids, start))
            names = await tasks.tag_names(connection, [task.id for task in scanned.tasks])
            found = tuple(TaskDetails(task, names.get(task.id, ())) for task in scanned.tasks)
            after = scanned.next_after
            return Page(found, None if after is None else cursor.write(after, query))

        return await self._database.read(read)

    async def _read(self, ids: Sequence[UUID]) -> Sequence[TaskDetails | Exception]:
        namespace = self._namespace
        found = await self._database.read(lambda c: tasks.details(c, namespace, ids))
        return [
            found.get(task_id) or TaskNotFound(f"there is no task {task_id}") for task_id in ids
        ]

    def _filter(self, query: TaskQuery, tag_ids: Mapping[str, int], after: UUID | None) -> Filter:
        return Filter(
            namespace=self._namespace,
            statuses=tuple(sorted({Status(label) for label in query.status})),
            priorities=tuple(sorted({Priority.from_label(label) for label in query.priority})),
            tag_ids=tuple(tag_ids[name] for name in dict.fromkeys(query.tag)),
            handler=query.handler,
            queue=query.queue,
            created_after=query.created_after,
            created_before=query.created_before,
            title_prefix=query.q,
            descending=query.order == "-created_at",
            after=after,
            limit=query.limit,
        )
