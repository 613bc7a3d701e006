"""Start an ASGI application the way taskq starts its own."""

import socket

from benchmarks.peers.base import Peer
from tests.support.ports import free_port


def start_uvicorn(peer: Peer, app: str) -> int:
    """Start one process with uvloop and httptools, wait until it listens, return its port."""
    port = free_port()
    options = ["--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]
    peer.run(["uvicorn", app, f"--port={port}", *options])
    peer.wait(lambda: _listens(port), 30, "API ready")
    return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
