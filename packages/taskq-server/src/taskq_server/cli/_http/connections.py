"""All connections of a server: their largest number, and the time limits of waiting ones."""

import contextlib
import logging
import resource
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from uvicorn.server import ServerState

from taskq_server.api.errors import SlowRequest
from taskq_server.domain.errors import ConfigurationError, TaskqError

SLOW_SECONDS = 10.0
"""Time limit of a head, of `SLOW_BYTES` of a body, and of the pause between two requests."""

SLOW_BYTES = 1_024

_RESERVED = 100
_FEWEST = 100
_LINGER_SECONDS = 2.0
_MOST_LINGERING = 50  # they use descriptors of the reserve, so that more callers can be refused
_CALM_SECONDS = 5.0
_STILL_SECONDS = 1.0
_log = logging.getLogger("taskq.server.api")


class Connection(Protocol):
    """A connection, as `Connections` uses it."""

    @property
    def is_sending(self) -> bool:
        """Whether the caller has not taken all of an answer yet."""

    def is_slow(self) -> bool:
        """Return whether too little of a body has arrived since the last call."""

    def timeout_keep_alive_handler(self) -> None:
        """Close after the present answer is sent."""

    def refuse(self, error: TaskqError) -> None:
        """Answer with a problem and close."""

    def leave(self) -> None:
        """Close at once, without an answer."""


Clock = dict[Connection, float]
"""Connections with the start of their wait, longest first."""


class Connections(ServerState):
    """Uvicorn's state of a server, and clocks for the connections that wait for their callers.

    A connection is in at most one clock. A connection that is in none is being answered.

    Args:
        most: most connections at once.
        access_log: whether a line is logged for each answer.
        count: is told of the status of each refusal, which the application does not see.

    Attributes:
        idle: connections between two requests.
        heads: connections without a whole head, since its first byte or since they opened.
        bodies: connections without a whole body, since the bytes of the body are counted.
        refused: connections whose last answer was a problem.
    """

    def __init__(
        self,
        most: int,
        *,
        access_log: bool = False,
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.access_log = access_log
        self.count = count
        self.idle: Clock = {}
        self.heads: Clock = {}
        self.bodies: Clock = {}
        self.refused: Clock = {}
        self._most = most
        self._crowded: float | None = None
        self._gave_way = 0
        self._turned_away = 0
        self._swept = 0.0

    def make_room(self, new: Connection, now: float) -> bool:
        """Return whether a new connection can stay; if necessary, close another one for it.

        Args:
            new: is in `heads` and in `connections` already.
            now: the time of the event loop.
        """
        if self._served > self._most:
            for connection in [*self.refused][: max(0, len(self.refused) - _MOST_LINGERING)]:
                connection.leave()
        if self._served <= self._most:
            return True
        self._note_crowd(now)
        longest = self._longest_without_head()
        if longest is new:
            self._turned_away += 1
            return False
        self._gave_way += 1
        longest.leave()
        return True

    def sweep(self, now: float) -> None:
        """Close connections that have waited too long. This is cheap, so call it often.

        After the event loop stood still, the data that arrived meanwhile is read first.
        """
        before, self._swept = self._swept, now
        if now - before > _STILL_SECONDS:
            return
        for connection in _since(self.refused, now - _LINGER_SECONDS):
            connection.leave()
        for connection in _since(self.idle, now - SLOW_SECONDS):
            connection.timeout_keep_alive_handler()
        for connection in _since(self.heads, now - SLOW_SECONDS):
            connection.refuse(SlowRequest(f"the head took more than {SLOW_SECONDS:g} s"))
        for connection in _since(self.bodies, now - SLOW_SECONDS):
            if connection.is_slow():
                detail = f"less than {SLOW_BYTES} bytes of the body came in {SLOW_SECONDS:g} s"
                connection.refuse(SlowRequest(detail))
            else:
                del self.bodies[connection]
                self.bodies[connection] = now
        self._note_calm(now)

    @property
    def _served(self) -> int:
        return len(self.connections) - min(len(self.refused), _MOST_LINGERING)

    def _longest_without_head(self) -> Connection:
        """Return it; a caller that still reads an answer keeps its connection."""
        first = [
            next((one for one in clock.items() if not one[0].is_sending), None)
            for clock in (self.idle, self.heads)
        ]
        return min(filter(None, first), key=lambda one: one[1])[0]

    def _note_crowd(self, now: float) -> None:
        if self._crowded is None:
            self._gave_way = self._turned_away = 0
            _log.warning(
                "%d connections are open, and there are no descriptors for more: those that have "
                "waited longest for a whole request give way. If they are callers, raise the "
                "limit of open files (ulimit -n)",
                self._most,
            )
        self._crowded = now

    def _note_calm(self, now: float) -> None:
        if self._crowded is None or now - self._crowded < _CALM_SECONDS:
            return
        if self._served < self._most:
            self._crowded = None
            _log.info(
                "there are descriptors for more connections again; %d gave way, %d were refused",
                self._gave_way,
                self._turned_away,
            )


def most_connections() -> int:
    """Raise the limit of open files to the maximum; return how many of them may be connections.

    Raises:
        ConfigurationError: the maximum is too low.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS names a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _RESERVED + _FEWEST:
        raise ConfigurationError(
            f"{soft} open files are too few: allow at least {_RESERVED + _FEWEST} (ulimit -n)"
        )
    return soft - _RESERVED


def _since(clock: Clock, moment: float) -> list[Connection]:
    return list(takewhile(lambda each: clock[each] <= moment, clock))
