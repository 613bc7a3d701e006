"""Serving HTTP: the socket, uvicorn, and signals."""

import asyncio
import contextlib
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from taskq_server.api.request_metrics import count_refusal
from taskq_server.cli._http import unix
from taskq_server.cli._http.connections import Connections, most_connections
from taskq_server.cli._http.protocol import HttpProtocol
from taskq_server.core.config import Settings
from taskq_server.core.processes import keep_from_forks
from taskq_server.domain.errors import ConfigurationError
from taskq_server.runtime import Runtime

_GRACE_SECONDS = 3
_BACKLOG = 2_048


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, because `Stop` handles the signals.

    Args:
        config: the configuration of uvicorn.
        connections: the connections of this server.
    """

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.server_state = self._connections = connections

    async def on_tick(self, counter: int) -> bool:
        """Close connections that have waited too long, ten times a second."""
        self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket, and raise the limit of open files.

    Args:
        settings: host and port, or the file of a Unix socket, among others.

    Raises:
        ConfigurationError: the address is taken, or there are too few descriptors.
    """
    most_connections()
    if settings.uds is not None:
        listener = unix.listen(settings.uds, _BACKLOG)
        keep_from_forks(listener)
        return listener
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"cannot listen on {authority(host, port)} ({reason}): choose another --host or --port"
        ) from error
    listener.listen(_BACKLOG)
    keep_from_forks(listener)
    return listener


def authority(host: str, port: int) -> str:
    """Return host and port in the form of a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(listener: socket.socket) -> str:
    """Return the address of a listening socket as a URL, or as `unix:` and its file."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    return f"http://{authority(*listener.getsockname()[:2])}"


def allowed_hosts(settings: Settings) -> Collection[str] | None:
    """Return the host names besides loopback that requests may name; None allows all.

    Others may reach an address that is not loopback; `off` says that it is theirs to keep away.
    No page in a browser opens a Unix socket, and a proxy that does has names of its own.
    """
    is_checked = settings.is_local and settings.uds is None and settings.asks_for_keys != "off"
    return settings.allowed_hosts if is_checked else None


async def serve(
    app: FastAPI, listener: socket.socket, stop: asyncio.Event, *, access_log: bool = False
) -> None:
    """Serve an app until `stop` is set; then answer callers that wait for a task at once.

    Args:
        app: the application.
        listener: the listening socket.
        stop: set to end.
        access_log: whether to log a line for each refusal that the application does not see.
    """
    http = _server(app, access_log)

    async def end() -> None:
        await stop.wait()
        http.should_exit = True
        runtime: Runtime | None = getattr(app, "runtime", None)
        if runtime is not None:  # start-up may not have come that far
            runtime.drain()

    waiting = asyncio.create_task(end())
    file = Path(listener.getsockname()) if listener.family == socket.AF_UNIX else None
    try:
        await http.serve(sockets=[listener])
    finally:
        waiting.cancel()
        if file is not None:
            listener.close()
            unix.remove(file)


def _server(app: FastAPI, access_log: bool) -> Server:
    def count(status: int) -> None:
        runtime: Runtime | None = getattr(app, "runtime", None)
        if runtime is not None:
            count_refusal(runtime.metrics, status)

    return Server(
        uvicorn.Config(
            app,
            http=HttpProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # otherwise a caller could choose its own address
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        Connections(most_connections(), access_log=access_log, count=count),
    )
