"""The units and commands of docs/deploy.md start, as a service manager starts them."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import httpx
import pytest

from taskq_client import TaskqClient, TaskqConnectionError
from taskq_server import Settings
from taskq_server.core.database import Database
from tests.examples.documents import Block, blocks_of
from tests.support.children import Child
from tests.support.keys import new_key, store
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

PAGES = [ROOT / "docs" / "deploy.md", ROOT / "docs" / "zh" / "deploy.md"]
SERVER = Path(sys.executable).with_name("taskq-server")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_units_start_and_run_a_task(
    page: Path, mariadb_server: MariaDBServer, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text(words(), encoding="utf-8")
    database = prepare_database(page, mariadb_server)
    said = {"TASKQ_DATABASE_URL": database, "TASKQ_REDIS_URL": redis_url}
    env = {"PATH": os.environ["PATH"], **environment_file(page), **said}
    for command in ("upgrade", "check"):
        done = subprocess.run([SERVER, "db", command], env=env, cwd="/", timeout=180, check=False)
        assert done.returncode == 0
    mariadb_server.sql("REVOKE CREATE, DROP, ALTER, INDEX ON taskq.* FROM taskq@'%'")
    key = asyncio.run(make_key(database))
    port = free_port()
    started = [start(unit, port, env, tmp_path) for unit in units(page)]
    try:
        with TaskqClient(f"http://127.0.0.1:{port}", api_key=key) as client:
            wait_until(lambda: is_served(client, started), 180, "words.count is served")
            assert client.run("words.count", {"text": "to be or not to be"}, timeout=180) == 6
        assert httpx.get(f"http://127.0.0.1:{port}/tasks", trust_env=False).status_code == 401
        assert [child.stop() for child in started] == [0, 0]
    finally:
        for child in started:
            child.stop()
        mariadb_server.sql("DROP DATABASE taskq; DROP USER taskq@'%'")


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


def test_the_commands_of_the_compose_file_exist() -> None:
    (code,) = (block.code for block in blocks_of(PAGES[0]) if block.language == "yaml")
    commands = re.findall(r"^    command: ((?:api|db|worker) .*)$", code, re.MULTILINE)
    assert len(commands) == code.count("<<: *taskq")
    for command in commands:
        words = [SERVER, *shlex.split(command), "--help"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_chinese_page_has_the_same_blocks() -> None:
    english, chinese = ([block.code for block in blocks_of(page)] for page in PAGES)
    shared = [code for code in chinese if code.startswith("# /etc/") or "ACL SETUSER" in code]
    assert len(shared) == 4
    assert set(shared) <= set(english)


def prepare_database(page: Path, server: MariaDBServer) -> str:
    """Do what the page says to make a database and an account; return its URL here."""
    (code,) = (block.code for block in blocks_of(page) if block.language == "sql")
    server.sql(code)
    return server.url("taskq").replace("//root@", "//taskq:secret@")


async def make_key(url: str) -> str:
    """Store a key, and return it."""
    token, key = new_key("tasks:read", "tasks:run:*")
    database = Database(url)
    await store(database, key)
    await database.close()
    return token.text


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
