"""Publish the handlers of a worker, beside workers with other versions of the same handlers.

Each live worker's row contains, for each handler, the digests of its schema and of the schemas that
it has replaced. So the order of versions is known as long as a worker with the latest one lives.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.crud import handler_use, handlers, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.skew import Version, succession
from taskq_server.handlers.registry import Handler, Registry
from taskq_server.services.declared import Declared
from taskq_server.services.declaring import Declaring

_DIGITS = 12
_SEEN_AGAIN = timedelta(days=1)
_SEEN_LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Plan:
    publish: dict[str, list[PublishedHandler]]
    versions: dict[str, Version]


class Publishing:
    """The handlers of one worker.

    Args:
        database: holds what is published, and the rows of workers.
        clock: aware UTC.
        namespaces: each of them gets the handlers.
        own: what the worker can run.
        declared: the schedules of its handlers.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        namespaces: Sequence[str],
        own: Sequence[PublishedHandler],
        declared: Declared | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._namespaces = namespaces
        self._own = own
        self.declared = declared or Declared()
        self._declaring = Declaring(clock)
        self._versions = {one.name: Version(_digest(one.payload_schema)) for one in own}
        self._told: tuple[UUID, str] | None = None
        self._seen_at: datetime | None = None

    @property
    def names(self) -> list[str]:
        """The names of the worker's handlers."""
        return [one.name for one in self._own]

    @property
    def row(self) -> str:
        """The JSON about the handlers for the worker's row."""
        return _written(self._versions)

    @property
    def declarations(self) -> str:
        """The JSON about the schedules that the handlers declare, for the worker's row."""
        return self.declared.row

    async def publish_alone(self) -> None:
        """Publish all handlers before the only worker starts, so that the API accepts tasks."""
        own, now = self._own, self._clock()

        async def work(connection: Connection) -> None:
            for namespace in self._namespaces:
                await handlers.publish(self._database, connection, namespace, own, now)

        await self._database.write(work)

    async def start(self, worker_id: UUID) -> None:
        """Publish all handlers, unless a live worker has published a newer version of one."""
        await self._database.write(lambda c: self._publish(c, worker_id, renew=True))

    async def keep(self, worker_id: UUID) -> None:
        """Publish handlers again whose published version no live worker has any more.

        Once a day it says that a live worker has them, of which version ever.

        Args:
            worker_id: the id of the worker, which changes when its lease is lost.
        """
        plan = await self._database.read(lambda c: self._plan(c, renew=False))
        if any(plan.publish.values()) or self._told != (worker_id, _written(plan.versions)):
            await self._database.write(lambda c: self._publish(c, worker_id, renew=False))
        now = self._clock()
        if self._seen_at is None or now - self._seen_at >= _SEEN_AGAIN:
            await self._database.write(lambda c: self._see(c, now))
            self._seen_at = now

    async def look_again(
        self, holder: Callable[[], UUID | None], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Pause, and then `keep`, unless the worker has a new lease since.

        After an outage other workers need the pause to get their leases again, too.

        Args:
            holder: returns the id of the worker while its lease is valid.
            pause: waits as long as a lease lasts.
        """
        before = holder()
        await pause()
        worker_id = holder()
        if worker_id is not None and worker_id == before:
            with suppress(DatabaseUnavailable):
                await self.keep(worker_id)

    async def _see(self, connection: Connection, now: datetime) -> None:
        lately = now - _SEEN_LATELY
        await handler_use.see(
            connection, self._namespaces, self.names, now=now, unless_since=lately
        )

    async def _publish(self, connection: Connection, worker_id: UUID, *, renew: bool) -> None:
        plan = await self._plan(connection, renew=renew)
        now = self._clock()
        for namespace, publish in plan.publish.items():
            await handlers.publish(self._database, connection, namespace, publish, now)
        text = _written(plan.versions)
        await workers.set_handlers(connection, worker_id, text, self.declared.row)
        await self._declaring.publish(connection, self.declared, self._namespaces, self.names)
        self._versions = plan.versions
        self._told = worker_id, text

    async def _plan(self, connection: Connection, *, renew: bool) -> _Plan:
        rows = await workers.handlers_of_live(connection, self._clock(), self._namespaces)
        plan = _Plan({namespace: [] for namespace in self._namespaces}, dict(self._versions))
        found = await handlers.published_in(connection, self._namespaces)
        for namespace, publish in plan.publish.items():
            live = [_read(text) for text in rows[namespace]]
            published = {one.name: _digest(one.payload_schema) for one in found[namespace]}
            for one in self._own:
                others = [row[one.name] for row in live if one.name in row]
                current = published.get(one.name)
                # All namespaces share the succession of schemas, because it is about the code.
                version = succession(plan.versions[one.name], current, others)
                plan.versions[one.name] = version or plan.versions[one.name]
                if version is not None and (renew or current != version.schema):
                    publish.append(one)
        return plan


def published_by(registry: Registry, settings: Settings) -> list[PublishedHandler]:
    """Return the handlers of a worker in the form to publish.

    Args:
        registry: the handlers of the worker.
        settings: the limits of handlers that set none.
    """
    return [_published(handler, settings) for handler in registry.handlers.values()]


def _published(handler: Handler, settings: Settings) -> PublishedHandler:
    retries, timeout = handler.max_retries, handler.timeout
    return PublishedHandler(
        name=handler.name,
        description=handler.description,
        payload_schema=handler.schema,
        max_retries=settings.max_retries if retries is None else retries,
        timeout_seconds=settings.timeout_seconds if timeout is None else timeout,
        defaults=handler.defaults,
    )


def _digest(schema: str) -> str:
    return sha256(schema.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _written(versions: Mapping[str, Version]) -> str:
    return json.dumps(
        {name: [one.schema, *sorted(one.replaced)] for name, one in sorted(versions.items())}
    )


def _read(text: str) -> dict[str, Version]:
    """Return the versions in a worker's row; older workers write a list of names, without any."""
    row = json.loads(text)
    if not isinstance(row, dict):
        return {}
    return {name: Version(schema, frozenset(old)) for name, (schema, *old) in row.items()}
