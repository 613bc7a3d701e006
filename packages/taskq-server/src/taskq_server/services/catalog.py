"""The published handlers, the check of payloads against their schemas, and the tags in use."""

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.turns import Turns
from taskq_server.crud import handlers, tags, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.errors import (
    FieldError,
    InvalidPayload,
    UnknownHandler,
    UnusableHandler,
)
from taskq_server.schemas.payload_schema import PayloadSchema, compile_schema
from taskq_server.schemas.service import HandlerRead, TagRead

_FRESH_SECONDS = 2.0
_MOST_ERRORS = 20
_LONGEST_MESSAGE = 300
_log = logging.getLogger("taskq.server.catalog")


@dataclass(frozen=True, slots=True)
class _Known:
    handler: PublishedHandler
    schema: PayloadSchema | None
    problem: str = ""

    @property
    def shown(self) -> dict[str, JsonValue]:
        """The schema; if it cannot be used, a schema that nothing fits, with the reason."""
        if self.schema is None:
            return {"not": {}, "$comment": self.problem}
        return self.schema.document


class Catalog:
    """Published handlers, cached for two seconds and read again when one is missing.

    Args:
        database: holds what workers published; this process never imports their code.
        clock: aware UTC.
        namespace: whose handlers.
        turns: shares the event loop among long checks.
        monotonic: a monotonic clock, in seconds, which never stands still as `clock` may.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        namespace: str,
        turns: Turns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._namespace = namespace
        self._turns = turns
        self._known: dict[str, _Known] = {}
        self._monotonic = monotonic
        self._read_at = -math.inf
        self._refreshes: GroupCommit[None, None] = GroupCommit(self._refresh)
        self._counts: GroupCommit[None, list[TagRead]] = GroupCommit(self._count_tags)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._refreshes.close()
        await self._counts.close()

    async def require(self, name: str) -> PublishedHandler:
        """Return a handler.

        Raises:
            UnknownHandler: no worker has ever published it.
        """
        if not self._is_fresh() or name not in self._known:
            await self._refreshes(None)
        known = self._known.get(name)
        if known is None:
            detail = f"no worker has published a handler called {name}"
            raise UnknownHandler(detail, [FieldError("/handler", "unknown-handler", detail)])
        return known.handler

    async def check(self, name: str, payload: dict[str, JsonValue]) -> None:
        """Check a payload against the schema of a handler that `require` has returned.

        Raises:
            UnusableHandler: the handler's schema cannot be used, so no payload fits.
            InvalidPayload: with a pointer to each place that does not fit, or to the first ones.
        """
        known = self._known[name]
        if known.schema is None:
            raise UnusableHandler.because(known.problem)
        if known.schema.validator.is_valid(payload):
            return
        errors: list[FieldError] = []
        pace = self._turns.pace()
        for mistake in known.schema.explanation.mistakes(payload):
            await pace.rest()
            if mistake is not None:
                where = "".join(f"/{_escaped(part)}" for part in mistake.path)
                message = mistake.message[:_LONGEST_MESSAGE]
                errors.append(FieldError(f"/payload{where}", "invalid-payload", message))
            if len(errors) == _MOST_ERRORS:
                break
        raise InvalidPayload(f"the payload does not fit the handler {name}", errors)

    async def handlers(self) -> list[HandlerRead]:
        """Return all published handlers with the number of live workers that can run them."""
        now = self._clock()

        async def read(connection: Connection) -> tuple[list[PublishedHandler], list[str]]:
            return (
                await handlers.published(connection, self._namespace),
                await workers.handlers_of_live(connection, now),
            )

        published, live = await self._database.read(read)
        able = Counter(name for names in live for name in json.loads(names))
        self._known |= {one.name: self._prepared(one) for one in published}
        return [
            HandlerRead(
                name=one.name,
                description=one.description,
                schema=self._known[one.name].shown,
                max_retries=one.max_retries,
                timeout_seconds=one.timeout_seconds,
                workers=able[one.name],
            )
            for one in published
        ]

    async def names(self) -> tuple[str, ...]:
        """Return the names of all published handlers, sorted."""
        if not self._is_fresh():
            await self._refreshes(None)
        return tuple(sorted(self._known))

    async def tags(self) -> list[TagRead]:
        """Return all tags in use, by name.

        Counting reads every link of a task to a tag, so concurrent calls share one count.
        """
        return await self._counts(None)

    async def _count_tags(self, asked: Sequence[None]) -> Sequence[list[TagRead]]:
        counts = await self._database.read(lambda c: tags.counts(c, self._namespace))
        return [[TagRead(name=name, count=count) for name, count in counts]] * len(asked)

    def _is_fresh(self) -> bool:
        return self._monotonic() - self._read_at < _FRESH_SECONDS

    async def _refresh(self, asked: Sequence[None]) -> Sequence[None]:
        published = await self._database.read(lambda c: handlers.published(c, self._namespace))
        self._known = {one.name: self._prepared(one) for one in published}
        self._read_at = self._monotonic()
        return asked

    def _prepared(self, handler: PublishedHandler) -> _Known:
        known = self._known.get(handler.name)
        if known is not None and known.handler == handler:
            return known
        try:
            return _Known(handler, compile_schema(handler.name, handler.payload_schema))
        except UnusableHandler as error:
            _log.error("its tasks are refused: %s", error)
            return _Known(handler, None, str(error))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
