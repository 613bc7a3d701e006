"""A small HTTP server beside the worker: its probes and its metrics, for whoever reaches the port.

It has a thread and an event loop of its own, so that no handler that blocks the worker's loop keeps
a probe waiting, and no prober the worker. It reads the head of one request from each connection,
answers and closes.
"""

import asyncio
import json
import logging
import socket
import threading
from http import HTTPStatus
from typing import NamedTuple

from taskq_server.core.addresses import Address
from taskq_server.core.processes import keep_from_forks
from taskq_server.domain.errors import ConfigurationError
from taskq_server.metrics.exposition import Page, page
from taskq_server.metrics.registry import Metrics
from taskq_server.services.exposition import Exposition
from taskq_server.worker.liveness.health import Health

_LOOK_SECONDS = 1.0
_HEAD_BYTES = 8_192
_SECONDS = 5.0
_PAGE_SECONDS = 1.0
_MOST_CONNECTIONS = 64
_JSON = "application/json"
_log = logging.getLogger("taskq.server.worker")


class _Answer(NamedTuple):
    status: HTTPStatus
    body: bytes
    media_type: str = _JSON
    allow: str | None = None


class _Shown(NamedTuple):
    metrics: Metrics
    exposition: Exposition
    loop: asyncio.AbstractEventLoop


class StatusServer:
    """Serve `/livez`, `/readyz` and `/metrics` until the process ends.

    Args:
        health: of the worker.

    Attributes:
        health: of the worker.
    """

    def __init__(self, health: Health) -> None:
        self.health = health
        self._shown: _Shown | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}

    def start(self, address: Address) -> None:
        """Listen, and serve in a thread.

        Raises:
            ConfigurationError: it is impossible to listen there.
        """
        try:
            listener = address.listen()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(
                f"TASKQ_METRICS_ADDRESS: cannot listen on {address} ({reason}): name one of this "
                "machine that no other worker has"
            ) from error
        keep_from_forks(listener)
        found = Address(*listener.getsockname()[:2])
        _log.info("probes and metrics of this worker are at http://%s", found)
        threading.Thread(
            target=lambda: asyncio.run(self._serve(listener)), name="taskq-status", daemon=True
        ).start()

    def show(self, metrics: Metrics, exposition: Exposition) -> None:
        """Show the numbers of a process from now on.

        Args:
            metrics: the numbers.
            exposition: shows them on this event loop, with what the database has to say of them.
        """
        self._shown = _Shown(metrics, exposition, asyncio.get_running_loop())

    async def _serve(self, listener: socket.socket) -> None:
        async with await asyncio.start_server(self._connected, sock=listener, limit=_HEAD_BYTES):
            while True:
                self.health.look()
                await asyncio.sleep(_LOOK_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            next(iter(self._open)).transport.abort()  # it has been silent for longest
        self._open[writer] = None
        try:
            async with asyncio.timeout(_SECONDS):
                await self._talk(reader, writer)
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()  # the caller has gone, or takes too long
        finally:
            del self._open[writer]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            writer.write(_http(_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), "GET"))
            return
        first, *fields = head.split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            answer = _error(HTTPStatus.BAD_REQUEST)
        elif method not in ("GET", "HEAD"):
            answer = _error(HTTPStatus.METHOD_NOT_ALLOWED)._replace(allow="GET, HEAD")
        else:
            answer = await self._answer(target.partition("?")[0], _accepted(fields))
        writer.write(_http(answer, method))

    async def _answer(self, path: str, accept: str) -> _Answer:
        match path:
            case "/livez":
                return _status(ok=self.health.is_alive)
            case "/readyz":
                reasons = self.health.reasons()
                return _status(ok=not reasons, reasons=reasons)
            case "/metrics" if self._shown is not None:
                shown = await _page(self._shown, accept)
                return _Answer(HTTPStatus.OK, shown.body, shown.media_type)
            case "/metrics":
                return _status(ok=False, reasons=["starting"])
            case _:
                return _error(HTTPStatus.NOT_FOUND)


async def _page(shown: _Shown, accept: str) -> Page:
    """Return the numbers, on the worker's event loop if the database has to be asked for names.

    Where that loop does not answer, what waits for a name is left out until it does.
    """
    if shown.metrics.submits.has_unsettled and not shown.loop.is_closed():
        asked = asyncio.run_coroutine_threadsafe(shown.exposition.of_worker(accept), shown.loop)
        done, _ = await asyncio.wait({asyncio.wrap_future(asked)}, timeout=_PAGE_SECONDS)
        for one in done:
            if not one.cancelled() and one.exception() is None:
                return one.result()
        asked.cancel()
    return page(accept, shown.metrics.registry)


def _status(*, ok: bool, **more: object) -> _Answer:
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    said = {"status": "ok" if ok else "unavailable", **more}
    return _Answer(status, json.dumps(said).encode())


def _error(status: HTTPStatus) -> _Answer:
    return _Answer(status, f"{status.phrase}\n".encode(), "text/plain; charset=utf-8")


def _accepted(fields: list[str]) -> str:
    names = [field.partition(":") for field in fields]
    return ", ".join(value for name, _, value in names if name.lower() == "accept")


def _http(answer: _Answer, method: str) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.media_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *([] if answer.allow is None else [f"Allow: {answer.allow}"]),
    ]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return head if method == "HEAD" else head + answer.body
