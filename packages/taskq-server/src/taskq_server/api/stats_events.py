"""Server-sent events: the counts of a namespace, as they change."""

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from taskq_server.api import problems
from taskq_server.api.caller import caller_of, check_again
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.events import BEAT_SECONDS, HEADERS, MEDIA_TYPE
from taskq_server.api.openapi.examples import STATS_EVENTS
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.api.waits import LOOK_SECONDS, place_to_follow
from taskq_server.domain import limits
from taskq_server.domain.errors import DatabaseUnavailable, TaskqError, Unavailable
from taskq_server.schemas.fields import NUMBER_IN_QUERY
from taskq_server.services.stats_feed import StatsFeed, View

RETRY_MILLISECONDS = 2_000
"""Time after which a browser connects again."""

router = APIRouter(route_class=StrictRoute, tags=["catalog"])

Seconds = Annotated[
    float | None,
    Query(
        alias="timeout_seconds",
        ge=0,
        le=limits.STREAM_SECONDS,
        description="end after this many seconds",
    ),
    NUMBER_IN_QUERY,
]

_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["stats"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/StatsEvent"},
        },
    },
    "required": ["event", "data"],
}
_COUNTS = reply(200, "the counts; each event `stats` has all of them as its data")
_COUNTS[200]["content"] = {MEDIA_TYPE: {"x-item-schema": _EVENT, "examples": STATS_EVENTS}}
_UNAVAILABLE = (
    b'event: unavailable\ndata: {"code":"%b"}\n\n'
    % problems.kind_of(DatabaseUnavailable()).code.encode()
)


@router.get(
    "/stats/events",
    operation_id="stats_events",
    summary="Follow the counts",
    response_class=StreamingResponse,
    responses={**_COUNTS, **failures(*STORE)},
)
async def stats_events(request: Request, runtime: RuntimeDep, seconds: Seconds = None) -> Response:
    """Follow the counts of tasks by queue and status with server-sent events.

    They come at once, and then whenever they have changed, once a second at most. They are those of
    `GET /stats` without its ages and rates, which change as time passes. A comment every 15 seconds
    shows that the connection is alive. While the database is away, there is one event
    `unavailable`, and the next event `stats` comes when it is back.
    """
    if request.method == "HEAD":
        seconds = 0  # nothing is sent, so nothing is waited for
    return _Stream(runtime.stats_feed, inf if seconds is None else seconds)


class _Stream(StreamingResponse):
    """A stream that takes its places when it is sent, and gives them back whatever happens."""

    def __init__(self, feed: StatsFeed, seconds: float) -> None:
        super().__init__((), headers=HEADERS, media_type=MEDIA_TYPE)
        self._feed = feed
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; FastAPI answers with the problem if there is no place, or no database."""
        with place_to_follow(scope), self._feed.view(caller_of(scope)) as view:
            await view.first()
            self.body_iterator = _pieces(scope, self._feed, view, self._seconds)
            await super().__call__(scope, receive, send)


async def _pieces(
    scope: Scope, feed: StatsFeed, view: View, seconds: float
) -> AsyncIterator[bytes]:
    """Write the counts as events, as long as the caller may see them.

    A browser gives up for good if it connects again and is refused, so an outage of the database
    ends no stream.
    """
    now = asyncio.get_running_loop().time
    deadline, beat_at = now() + seconds, now() + BEAT_SECONDS
    yield b"retry: %d\n" % RETRY_MILLISECONDS  # belongs to the first event
    sent: bytes | None = b""
    while True:
        seen = view.latest
        try:
            await check_again(scope)
            latest = seen
        except Unavailable:
            latest = None  # nobody knows what the caller may see
        except TaskqError:
            return  # a caller that connects again gets the error as its answer
        if latest != sent:
            yield _UNAVAILABLE if latest is None else b"event: stats\ndata: %b\n\n" % latest
            sent, beat_at = latest, now() + BEAT_SECONDS
        elif now() >= beat_at:
            yield b": alive\n\n"
            beat_at = now() + BEAT_SECONDS
        if now() >= deadline or feed.is_draining:
            return
        await view.news(seen, min(deadline - now(), beat_at - now(), LOOK_SECONDS))
