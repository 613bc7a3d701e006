"""HTTP/1 on one connection by uvicorn, with limits for the size and the speed of requests."""

import re
from collections.abc import Sequence

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from taskq_server.api.errors import HeadTooLarge, MalformedRequest
from taskq_server.cli._http.refusals import RefusingProtocol
from taskq_server.domain.errors import TaskqError

HEAD_BYTES = 16_384
HEAD_FIELDS = 100

_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class HttpProtocol(RefusingProtocol):
    """Serve one connection.

    A request that is too large, too slow or not HTTP gets a problem as its answer, and the
    connection is closed.
    """

    _bytes_beside_body = 0

    def data_received(self, data: bytes) -> None:
        """Parse the data that has arrived."""
        if self.refusal is not None:
            return
        try:
            if self._bytes_beside_body + len(data) <= HEAD_BYTES:
                self._bytes_beside_body += len(data)
                self.parser.feed_data(data)
            else:
                self._feed_in_parts(memoryview(data))
        except httptools.HttpParserUpgrade:
            # taskq upgrades no connection, and the parser may have lost its place, so close.
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            self.refuse(_reason(error))
        except HeadTooLarge as error:
            self.refuse(error)
        else:
            self._watch_sender()

    def on_headers_complete(self) -> None:
        """Start the request whose head is complete."""
        if len(self.headers) > HEAD_FIELDS:
            raise _too_large()
        if self.clock is None:  # the bytes of a pipelined request were not counted from its start
            self._check_size(self.headers)
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self.parser.get_http_version() != "1.1"):
            raise MalformedRequest("the only Transfer-Encoding is chunked, in HTTP/1.1")
        if not self.url.startswith(b"/"):
            self._take_host_of_target()
        super().on_headers_complete()
        self.cycle.transport = self.answers  # type: ignore[assignment]
        self.stop_waiting()
        self._bytes_beside_body = 0
        self.headers = []  # for the trailer, which is not part of the head (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._bytes_beside_body = 0
        self.body_bytes += len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """End the body."""
        if self.headers:
            self._check_size([*self.scope["headers"], *self.headers])
        self._bytes_beside_body = 0
        self.stop_waiting()
        cycle = self.cycle
        cycle.more_body = False
        if cycle.response_complete:
            self.wait(self.all.idle)
        else:
            cycle.message_event.set()

    def _feed_in_parts(self, rest: memoryview) -> None:
        """Feed the parser pieces of the largest size of a head, so that no head exceeds it."""
        while rest:
            room = HEAD_BYTES - self._bytes_beside_body
            if not room:
                raise _too_large()
            self._bytes_beside_body += len(rest[:room])
            self.parser.feed_data(rest[:room])
            rest = rest[room:]

    def _watch_sender(self) -> None:
        """Start the clock of a head or body that has begun to arrive and is not complete."""
        if self.clock is None:
            if self.cycle.more_body and self.scope is self.cycle.scope:
                self.body_bytes = 0
                self.wait(self.all.bodies)
        elif self.clock is self.all.idle and self.scope is not self.cycle.scope:
            self.wait(self.all.heads)

    def _check_size(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in fields)
        if len(fields) > HEAD_FIELDS or size > HEAD_BYTES:
            raise _too_large()

    def _take_host_of_target(self) -> None:
        """Add the host of a target like `http://host/path`, as RFC 9112 requires (section 3.2.2).

        The application does not get the target. If there is another Host, it gets both.
        """
        target = _ABSOLUTE.match(self.url)
        if target and (b"host", target[1]) not in self.headers:
            self.headers.append((b"host", target[1]))


def _reason(error: httptools.HttpParserError) -> TaskqError:
    if isinstance(error.__context__, TaskqError):
        return error.__context__
    return MalformedRequest("what was sent is not a request of HTTP/1.1")


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(
        f"the request line and all header fields may have {HEAD_BYTES} bytes and "
        f"{HEAD_FIELDS} fields"
    )
