"""The files of a data folder: whose they are, and where they lie."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, run_server_command
from tests.support.stack import NewStack

HARMLESS = "ssh-ed25519 AAAA somebody\n"


def modes(folder: Path) -> dict[str, int]:
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    return {".": stat.S_IMODE(folder.stat().st_mode)} | found


def dev(folder: Path) -> "subprocess.CompletedProcess[str]":
    words = ["dev", "--data-dir", str(folder), "--port", str(free_port())]
    return run_server_command(words, {}, timeout=180)


def check_refused(done: "subprocess.CompletedProcess[str]", says: str) -> None:
    assert done.returncode == os.EX_CONFIG
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def run_dev(folder: Path, log: Path) -> dict[str, int]:
    """Run `dev` in a folder until it is ready, and return the modes of what is in it then."""
    server = ApiProcess(["dev", "--data-dir", str(folder)], {}, log, free_port())
    try:
        server.wait_ready()
        return modes(folder)
    finally:
        server.stop()


def test_a_data_folder_is_private_and_git_ignores_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / ".taskq"
    found = run_dev(folder, tmp_path / "log")
    assert {".", "lock", "taskq.db", "taskq.db-wal", "taskq.db-shm", ".gitignore"} == set(found)
    assert found.pop(".") == 0o700
    assert set(found.values()) == {0o600}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_an_older_data_folder_becomes_private(new_stack: NewStack, tmp_path: Path) -> None:
    stack = new_stack("sqlite")  # its folder has a mode that all can enter
    folder = Path(stack.database_url.removeprefix("sqlite+aiosqlite:///")).parent
    task = submit(stack, "taskq.echo", {"value": 1})
    stack.kill_api()
    folder.chmod(0o755)
    (folder / ".gitignore").unlink()
    for name in ("lock", "taskq.db", "taskq.db-wal", "taskq.db-shm"):
        (folder / name).chmod(0o644)
    stack.start_api()
    assert get(stack, task, wait=60)["status"] == "succeeded"
    found = modes(folder)
    assert (found.pop("."), set(found.values())) == (0o700, {0o600})
    assert ".gitignore" in found


def test_a_folder_with_other_things_stays_as_open_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    (folder / "code.py").touch(0o644)
    found = run_dev(folder, tmp_path / "log")
    assert (found.pop("."), found.pop("code.py")) == (0o755, 0o644)
    assert ".gitignore" not in found
    assert set(found.values()) == {0o600}


def test_db_upgrade_makes_private_files(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'new' / 'a.db'}"
    assert run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": url}).returncode == 0
    assert modes(tmp_path / "new") == {".": 0o700, "a.db": 0o600, ".gitignore": 0o600}


def test_a_shared_database_keeps_its_modes(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o770)
    (folder / "a.db").touch(0o660)
    url = f"sqlite+aiosqlite:///{folder / 'a.db'}"
    assert run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": url}).returncode == 0
    assert modes(folder) == {".": 0o770, "a.db": 0o660}


@pytest.mark.parametrize("name", ["lock", "taskq.db", "taskq.db-wal", "taskq.db-shm"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, name: str, exists: bool) -> None:
    victim = tmp_path / "authorized_keys"
    if exists:
        victim.write_text(HARMLESS)
    folder = tmp_path / ".taskq"
    folder.mkdir()
    (folder / name).symlink_to(victim)
    check_refused(dev(folder), f"{folder / name} is a symbolic link: ")
    assert victim.exists() == exists
    assert not exists or victim.read_text() == HARMLESS


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / ".taskq").symlink_to(tmp_path / "home")
    check_refused(dev(tmp_path / ".taskq"), "is a symbolic link: ")
    assert modes(tmp_path / "home") == {".": 0o755}


@pytest.mark.parametrize("name", ["lock", "taskq.db"])
def test_a_pipe_in_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    check_refused(dev(tmp_path), f"{tmp_path / name} is no file: ")


def test_a_link_to_be_ignored_by_git_is_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "authorized_keys"
    victim.write_text(HARMLESS)
    folder = tmp_path / ".taskq"
    folder.mkdir()
    (folder / ".gitignore").symlink_to(victim)
    run_dev(folder, tmp_path / "log")
    assert victim.read_text() == HARMLESS


def test_db_upgrade_makes_no_database_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "elsewhere")
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    done = run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": url})
    check_refused(done, "is a symbolic link: ")
    assert not (tmp_path / "elsewhere").exists()
