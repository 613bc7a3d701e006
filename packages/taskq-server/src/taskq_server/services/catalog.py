"""The published handlers, the check of payloads against their schemas, and the tags in use."""

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import starmap
from typing import NamedTuple

from pydantic import JsonValue

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.turns import Turns
from taskq_server.crud import handlers, tags, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import (
    FieldError,
    InvalidPayload,
    UnknownHandler,
    UnusableHandler,
)
from taskq_server.schemas.payload_schema import PayloadSchema, compile_schema

_FRESH_SECONDS = 2.0
_MOST_NAMESPACES = 1_000
_MOST_LATEST = 10_000
_MOST_ERRORS = 20
_LONGEST_MESSAGE = 300
_log = logging.getLogger("taskq.server.catalog")


@dataclass(frozen=True, slots=True)
class KnownHandler:
    """A published handler with its compiled schema, or with the problem that the schema has."""

    handler: PublishedHandler
    schema: PayloadSchema | None
    problem: str = ""

    @property
    def shown(self) -> dict[str, JsonValue]:
        """The schema; if it cannot be used, a schema that nothing fits, with the reason."""
        if self.schema is None:
            return {"not": {}, "$comment": self.problem}
        return self.schema.document


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedHandler:
    """A published handler with its JSON Schema, and the number of live workers that can run it."""

    name: str
    description: str
    schema: dict[str, JsonValue]
    max_retries: int
    timeout_seconds: float
    queue: str
    priority: str
    tags: list[str]
    unique_key: str | None
    workers: int


class TagCount(NamedTuple):
    """A tag, and how many tasks carry it."""

    name: str
    tasks: int


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a namespace, and the monotonic time of that.

    Attributes:
        handlers: by name.
        listened: the queues that live workers listen to.
        at: seconds.
    """

    handlers: dict[str, KnownHandler]
    listened: frozenset[str]
    at: float


_NOTHING = _Read({}, frozenset(), -math.inf)


class Catalog:
    """Published handlers, cached for two seconds and read again when one is missing.

    The queues that workers listen to are read with them, so a submit knows both. What was read of
    the `_MOST_NAMESPACES` namespaces that were read last is kept.

    Args:
        database: holds what workers published; this process never imports their code.
        clock: aware UTC.
        turns: shares the event loop among long checks.
        monotonic: a monotonic clock, in seconds, which never stands still as `clock` may.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        turns: Turns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._turns = turns
        self._known: dict[str, _Read] = {}
        # A handler that several namespaces have is mostly the same one, so its schema is shared.
        self._latest: dict[str, KnownHandler] = {}
        self._monotonic = monotonic
        self._refreshes: GroupCommit[str, _Read] = GroupCommit(
            self._refresh, name="handlers", observer=database.observer
        )
        self._counts: GroupCommit[str, list[TagCount]] = GroupCommit(
            self._count_tags, name="tag_counts", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._refreshes.close()
        await self._counts.close()

    async def require(self, caller: Caller, name: str) -> KnownHandler:
        """Return a handler.

        Raises:
            UnknownHandler: no worker has ever published it in the caller's namespace, or for all.
        """
        known = self._fresh(caller).handlers.get(name)
        if known is None:
            known = (await self._refreshes(caller.namespace)).handlers.get(name)
        if known is None:
            detail = f"no worker has published a handler called {name}"
            raise UnknownHandler(detail, [FieldError("/handler", "unknown-handler", detail)])
        return known

    def remembered(self, caller: Caller, name: str) -> KnownHandler | None:
        """Return a handler as it was read last; None if nobody has asked for it lately."""
        return self._known.get(caller.namespace, _NOTHING).handlers.get(name)

    def has_listener(self, caller: Caller, queue: str) -> bool:
        """Return whether a live worker listened to a queue when its handlers were read last.

        Whoever has just called `require` gets an answer that is two seconds old at most.
        """
        read = self._known.get(caller.namespace)
        return read is None or queue in read.listened

    async def check(self, known: KnownHandler, payload: dict[str, JsonValue]) -> None:
        """Check a payload against the schema of a handler.

        Raises:
            UnusableHandler: the handler's schema cannot be used, so no payload fits.
            InvalidPayload: with a pointer to each place that does not fit, or to the first ones.
        """
        if known.schema is None:
            raise UnusableHandler.because(known.problem)
        if known.schema.validator.is_valid(payload):
            return
        errors: list[FieldError] = []
        pace = self._turns.pace()
        for error in payload_errors(known.schema, payload):
            await pace.rest()
            if error is not None:
                errors.append(error)
        raise InvalidPayload(f"the payload does not fit the handler {known.handler.name}", errors)

    async def handlers(self, caller: Caller) -> list[ListedHandler]:
        """Return the published handlers of the caller's namespace that the caller is told of.

        Each comes with the number of live workers that can run it.
        """
        now = self._clock()

        async def read(connection: Connection) -> tuple[list[PublishedHandler], list[str]]:
            live = await workers.handlers_of_live(connection, now, [caller.namespace])
            known = await handlers.known_in(connection, [caller.namespace])
            return known[caller.namespace], live[caller.namespace]

        published, live = await self._database.read(read)
        able = Counter(name for names in live for name in json.loads(names))
        known = self._prepare(caller.namespace, published)
        if (read_before := self._known.get(caller.namespace)) is not None:
            self._known[caller.namespace] = replace(read_before, handlers=known)
        return [
            ListedHandler(
                name=one.name,
                description=one.description,
                schema=known[one.name].shown,
                max_retries=one.max_retries,
                timeout_seconds=one.timeout_seconds,
                queue=one.defaults.queue,
                priority=one.defaults.priority.label,
                tags=list(one.defaults.tags),
                unique_key=one.defaults.unique_key,
                workers=able[one.name],
            )
            for one in published
            if caller.sees_handler(one.name)
        ]

    async def names(self, caller: Caller) -> tuple[str, ...]:
        """Return the names of the handlers that the caller is told of, sorted."""
        read = self._fresh(caller)
        if read is _NOTHING:
            read = await self._refreshes(caller.namespace)
        return tuple(sorted(filter(caller.sees_handler, read.handlers)))

    async def tags(self, caller: Caller) -> list[TagCount]:
        """Return all tags that are in use in the caller's namespace, by name.

        Counting reads every link of a task to a tag, so concurrent calls share one count.
        """
        return await self._counts(caller.namespace)

    async def _count_tags(self, asked: Sequence[str]) -> Sequence[list[TagCount]]:
        counts = await self._database.read(lambda c: tags.counts(c, set(asked)))
        found = {namespace: list(starmap(TagCount, those)) for namespace, those in counts.items()}
        return [found[namespace] for namespace in asked]

    def _fresh(self, caller: Caller) -> _Read:
        read = self._known.get(caller.namespace, _NOTHING)
        return read if self._monotonic() - read.at < _FRESH_SECONDS else _NOTHING

    async def _refresh(self, asked: Sequence[str]) -> Sequence[_Read]:
        namespaces, now = set(asked), self._clock()

        async def read(
            connection: Connection,
        ) -> tuple[dict[str, list[PublishedHandler]], dict[str, list[str]]]:
            published = await handlers.known_in(connection, namespaces)
            return published, await workers.queues_of_live(connection, now, namespaces)

        published, live = await self._database.read(read)
        found = {each: self._remember(each, published[each], live[each]) for each in namespaces}
        return [found[namespace] for namespace in asked]

    def _remember(
        self, namespace: str, published: Sequence[PublishedHandler], live: Collection[str]
    ) -> _Read:
        prepared = self._prepare(namespace, published)
        listened = frozenset(name for names in set(live) for name in json.loads(names))
        # The namespace that was read last comes last, and the one that was not for longest goes.
        self._known.pop(namespace, None)
        self._known[namespace] = read = _Read(prepared, listened, self._monotonic())
        if len(self._known) > _MOST_NAMESPACES:
            del self._known[next(iter(self._known))]
        return read

    def _prepare(
        self, namespace: str, published: Sequence[PublishedHandler]
    ) -> dict[str, KnownHandler]:
        before = self._known.get(namespace, _NOTHING).handlers
        prepared = {
            one.name: _prepared(one, before.get(one.name), self._latest.get(one.name))
            for one in published
        }
        self._latest |= prepared
        if len(self._latest) > _MOST_LATEST:
            self._latest = prepared
        return prepared


def payload_errors(schema: PayloadSchema, payload: JsonValue) -> Iterator[FieldError | None]:
    """Yield the first errors of a payload that does not fit, and None wherever one may pause.

    Args:
        schema: of the handler.
        payload: the task's.
    """
    found = 0
    for mistake in schema.explanation.mistakes(payload):
        if mistake is None:
            yield None
            continue
        where = "".join(f"/{_escaped(part)}" for part in mistake.path)
        yield FieldError(f"/payload{where}", "invalid-payload", mistake.message[:_LONGEST_MESSAGE])
        found += 1
        if found == _MOST_ERRORS:
            return


def _prepared(handler: PublishedHandler, *known: KnownHandler | None) -> KnownHandler:
    for one in known:
        if one is not None and one.handler == handler:
            return one
    try:
        return KnownHandler(handler, compile_schema(handler.name, handler.payload_schema))
    except UnusableHandler as error:
        _log.error("its tasks are refused: %s", error)
        return KnownHandler(handler, None, str(error))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
