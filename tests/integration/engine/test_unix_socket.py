"""`--uds`: an API on a Unix socket, its file, and who may call."""

import asyncio
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from taskq_server import migrations
from taskq_server.cli._http import unix
from taskq_server.domain.errors import ConfigurationError
from tests.support.keys import KeyStore
from tests.support.keys import shown as key_of
from tests.support.patients import opened
from tests.support.processes import ServerProcess, run_server_command
from tests.support.waiting import wait_until
from tests.unit.server.cli.screen_files import shown


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short path: that of a socket may have about 100 characters."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("uds")
        patched.chdir(folder)
        yield folder / "api.sock"


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_its_user_and_group_may_open_it(file: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with unix.listen(file, 1):
            assert stat.S_IMODE(file.stat().st_mode) == 0o660
            assert os.umask(mask) == mask
    finally:
        os.umask(before)


def test_what_a_dead_process_left_is_replaced(file: Path) -> None:
    unix.listen(file, 1).close()
    assert file.is_socket()
    with unix.listen(file, 1), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(file))
    unix.remove(file)
    assert not file.exists()


def test_a_socket_that_somebody_listens_on_stays(file: Path) -> None:
    with unix.listen(file, 1):
        with pytest.raises(ConfigurationError, match=r"another process listens on it.*--uds"):
            unix.listen(file, 1)
        unix.remove(file)
        assert file.is_socket()


def test_a_socket_whose_process_is_too_busy_to_accept_stays(file: Path) -> None:
    with ExitStack() as opened, unix.listen(file, 0):
        is_full = False
        while not is_full:
            caller = opened.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            is_full = caller.connect_ex(str(file)) == errno.EAGAIN
        with pytest.raises(ConfigurationError, match="another process listens on it"):
            unix.listen(file, 1)
    assert file.is_socket()


def test_a_process_that_starts_there_at_this_moment_is_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "_LOCK_SECONDS", 0.1)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another process has locked the folder"):
            unix.listen(file, 1)
    finally:
        os.close(folder)
    unix.listen(file, 1).close()


def test_of_many_that_start_at_once_one_listens(file: Path) -> None:
    unix.listen(file, 1).close()

    def start(_: int) -> socket.socket | None:
        try:
            return unix.listen(file, 100)
        except ConfigurationError:
            return None

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(start, range(8)))
    listening = [each for each in found if each is not None]
    assert len(listening) == 1
    with listening[0], socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(str(file))


def _file(path: Path) -> None:
    path.write_text("mine", encoding="utf-8")


def _link(path: Path) -> None:
    path.with_name("real").write_text("mine", encoding="utf-8")
    path.symlink_to("real")


@pytest.mark.parametrize("make", [_file, _link, Path.mkdir])
def test_what_is_no_socket_stays(file: Path, make: object) -> None:
    assert callable(make)
    make(file)
    with pytest.raises(ConfigurationError, match="something else than a socket"):
        unix.listen(file, 1)
    unix.remove(file)
    assert file.exists()


@pytest.mark.parametrize("name", ["no/such/folder/api.sock", "x" * 120, "."])
def test_a_place_where_no_socket_can_be_is_a_sentence(file: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on .*choose another --uds"):
        unix.listen(file.with_name("x").parent / name, 1)


@pytest.mark.parametrize("command", ["api", "dev"])
def test_a_port_beside_it_makes_no_sense(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    assert "leave one out" in shown(command, "--uds", "x", "--port", "80").stderr
    monkeypatch.setenv("TASKQ_UDS", "x")
    assert "leave one out" in shown(command, "--host", "::1").stderr


def test_an_api_on_a_socket(file: Path, sqlite_url: str, redis_url: str) -> None:
    settings = {"TASKQ_DATABASE_URL": sqlite_url, "TASKQ_REDIS_URL": redis_url}
    asyncio.run(migrate(sqlite_url))
    words = ["api", "--uds", str(file)]
    first = ServerProcess(words, settings, file.with_name("first.log"))
    try:
        wait_ready(file, first)
        with caller(file) as client:
            assert client.get("/tasks").status_code == 401  # though there is no key yet
            key = key_of(KeyStore(sqlite_url).make("tasks:read", "tasks:write"))
            assert client.get("/tasks", headers={"Host": "any.example", **key}).status_code == 200
        assert f"unix:{file}" in first.output()
        assert "/docs" not in first.output()
        second = run_server_command(words, settings)
        assert second.returncode == 78
        assert "another process listens on it" in second.stderr
        first.kill()
        assert file.is_socket()
        third = ServerProcess(words, settings, file.with_name("third.log"))
        try:
            wait_ready(file, third)
            assert third.stop() == 0
        finally:
            third.stop()
        assert not file.exists()
    finally:
        first.stop()


async def migrate(url: str) -> None:
    """Make the tables."""
    async with opened(url) as database:
        await migrations.upgrade(database)


def caller(file: Path) -> httpx.Client:
    """A client that connects to a Unix socket."""
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(file)), base_url="http://api", timeout=180
    )


def wait_ready(file: Path, process: ServerProcess) -> None:
    """Wait until a process serves on a socket; httpx would leak a connection that is refused."""

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as caller:
            return process.running and caller.connect_ex(str(file)) == 0

    wait_until(listens, 180, "a socket", details=process.output)
    with caller(file) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, 180, "ready")
