"""The units and commands of docs/deploy.md start, as a service manager starts them."""

import os
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from taskq_client import TaskqClient, TaskqConnectionError
from taskq_server import Settings
from tests.examples.documents import Block, blocks_of
from tests.support.children import Child
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

PAGES = [ROOT / "docs" / "deploy.md", ROOT / "docs" / "zh" / "deploy.md"]
SERVER = Path(sys.executable).with_name("taskq-server")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_units_start_and_run_a_task(
    page: Path, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text(words(), encoding="utf-8")
    said = {"TASKQ_DATABASE_URL": mariadb_url, "TASKQ_REDIS_URL": redis_url}
    env = {"PATH": os.environ["PATH"], **environment_file(page), **said}
    upgrade = [SERVER, "db", "upgrade"]
    subprocess.run(upgrade, env=env, cwd="/", check=True, capture_output=True, timeout=60)
    port = free_port()
    started = [start(unit, port, env, tmp_path) for unit in units(page)]
    try:
        with TaskqClient(f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: is_served(client, started), 60, "words.count is served")
            assert client.run("words.count", {"text": "to be or not to be"}, timeout=60) == 6
        assert [child.stop() for child in started] == [0, 0]
    finally:
        for child in started:
            child.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_units_can_be_enabled_and_stopped(page: Path) -> None:
    api, worker = units(page)
    for unit in (api, worker):
        assert unit["Install"]["WantedBy"] == "multi-user.target"
        assert unit["Service"]["User"]
        assert unit["Service"]["RestartPreventExitStatus"] == "78"
    default = Settings.model_fields
    names = ("drain_seconds", "cancel_grace_seconds", "hook_seconds")
    assert int(worker["Service"]["TimeoutStopSec"]) > sum(default[name].default for name in names)


def test_the_chinese_page_has_the_same_blocks() -> None:
    english, chinese = ([block.code for block in blocks_of(page)] for page in PAGES)
    shared = [code for code in chinese if code.startswith("# /etc/") or "ACL SETUSER" in code]
    assert len(shared) == 4
    assert set(shared) <= set(english)


def units(page: Path) -> list[ConfigParser]:
    """The units of a page, the API's first."""
    found = []
    for block in ini_blocks(page):
        unit = ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(block.code)
        found.append(unit)
    assert len(found) == 2
    return found


def ini_blocks(page: Path) -> list[Block]:
    """The blocks of a page that are units."""
    return [block for block in blocks_of(page) if block.language == "ini"]


def environment_file(page: Path) -> dict[str, str]:
    """What systemd reads of /etc/taskq.env."""
    (code,) = (b.code for b in blocks_of(page) if b.code.startswith("# /etc/taskq.env\n"))
    return dict(re.findall(r"^(\w+)=(.*)$", code, re.MULTILINE))


def start(unit: ConfigParser, port: int, env: dict[str, str], folder: Path) -> Child:
    """Start a unit's program, where systemd would: in / unless the unit names a folder."""
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/srv/taskq/bin/taskq-server"
    given = [str(port) if word == "8000" else word for word in arguments]
    where = {"/srv/app": folder, "/": Path("/")}[service.get("WorkingDirectory", "/")]
    return Child([SERVER, *given], folder / f"{arguments[0]}.log", env=env, cwd=where)


def is_served(client: TaskqClient, started: list[Child]) -> bool:
    """Whether the API answers and a worker has published the handler."""
    for child in started:
        assert child.running, child.output()
    try:
        served = client.with_options(max_retries=0).handlers()
    except TaskqConnectionError:
        return False
    return "words.count" in [each.name for each in served]


def words() -> str:
    """The module of the README."""
    blocks = blocks_of(ROOT / "README.md")
    return next(block.code for block in blocks if block.module == "words")
