"""A connection with time limits, which can be refused with a problem."""

import asyncio
from typing import Any, cast

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from taskq_server.api import access_log, browsers, problems, request_id
from taskq_server.api.errors import TooManyConnections
from taskq_server.cli._http.connections import SLOW_BYTES, Clock, Connections
from taskq_server.cli._http.joined_writes import JoinedWrites
from taskq_server.core.log_context import About
from taskq_server.domain.errors import TaskqError


class RefusingProtocol(HttpToolsProtocol):
    """Uvicorn's connection with the clocks of `Connections` instead of a timer for each request."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, Connections)
        self.all = server_state
        self.clock: Clock | None = None
        self.refusal: TaskqError | None = None
        self.body_bytes = 0

    @property
    def is_sending(self) -> bool:
        """Whether the caller has not taken all of an answer yet."""
        return self.transport.get_write_buffer_size() > 0

    def is_slow(self) -> bool:
        """Return whether too little of a body has arrived since the last call.

        A body is not slow while reading is paused, or before the caller was sent `100 Continue`.
        """
        arrived, self.body_bytes = self.body_bytes, 0
        held_up = self.flow.read_paused or self.cycle.waiting_for_100_continue
        return arrived < SLOW_BYTES and not held_up

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        self.answers = JoinedWrites(transport, self.loop)
        self.wait(self.all.heads)
        if not self.all.make_room(self, self.loop.time()):
            self.refuse(TooManyConnections("as many connections as there may be are at work"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and tell the application that the caller is gone."""
        self.stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close after the present answer."""
        if self.clock is self.all.refused:
            self.leave()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        """Serve the next request, or wait for it."""
        if self.pipeline:
            super().on_response_complete()
        elif not self.transport.is_closing():
            self.flow.resume_reading()
            if self.refusal is not None:
                self._answer(self.refusal)
            elif self.scope is not self.cycle.scope:
                self.wait(self.all.heads)
            elif not self.cycle.more_body:
                self.wait(self.all.idle)

    def wait(self, clock: Clock) -> None:
        """Start to wait, and count the time on `clock`."""
        self.stop_waiting()
        self.clock = clock
        clock[self] = self.loop.time()

    def stop_waiting(self) -> None:
        """Stop the clock, because the awaited part has arrived."""
        if self.clock is not None:
            del self.clock[self]
            self.clock = None

    def refuse(self, error: TaskqError) -> None:
        """Answer with a problem and close; requests before this one are answered first."""
        is_answered = self.clock is self.all.heads or self.clock is self.all.idle
        self.stop_waiting()
        if self.refusal is not None or self.transport.is_closing():
            return
        self.refusal = error
        if is_answered:
            self._answer(error)
        elif self.cycle.more_body and self.pipeline:
            self.pipeline.popleft()  # the application has not got it yet
        elif self.cycle.more_body:
            self._answer_instead(error)

    def leave(self) -> None:
        """Close at once, without an answer."""
        self.stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    def _answer_instead(self, error: TaskqError) -> None:
        """Answer with a problem in place of the application, because the body does not arrive."""
        cycle = self.cycle
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.close()
        else:
            self._answer(error)

    def _answer(self, error: TaskqError) -> None:
        scope = cast(Scope | None, self.scope)  # before the first byte there is none
        chosen = request_id.choose(scope["headers"] if scope else ())
        response = problems.answer(chosen, error)
        with About(lambda: {"request_id": chosen}):
            problems.tell(chosen, "what cannot be served", problems.kind_of(error))
            self.all.count(response.status_code)
            if self.all.access_log:
                access_log.tell_refusal(response.status_code, self.client[0] if self.client else "")
        fields = (
            *self.server_state.default_headers,
            *response.raw_headers,
            *browsers.HEADERS,
            (request_id.HEADER.lower().encode(), chosen.encode()),
            (b"connection", b"close"),
        )
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        body = b"" if self.parser.get_method() == b"HEAD" else response.body
        self.transport.write(STATUS_LINE[response.status_code] + lines + b"\r\n" + body)
        self._linger()

    def _linger(self) -> None:
        """Read on for a moment, because closing a socket with unread bytes loses the answer."""
        self.transport.write_eof()
        self.flow.resume_reading()
        self.wait(self.all.refused)
