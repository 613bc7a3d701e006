"""Pages of tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import listing, tags, tasks
from taskq_server.crud.listing import Filter
from taskq_server.domain.task import Priority, Status, TaskDetails
from taskq_server.schemas.query import TaskQuery
from taskq_server.services import cursor


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks without payload, result and errors; `next_cursor` is None on the last page."""

    items: tuple[TaskDetails, ...]
    next_cursor: str | None


class Listing:
    """List tasks by filters, page by page."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace

    async def page(self, query: TaskQuery) -> Page:
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
