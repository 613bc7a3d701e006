"""The units of examples/deploy start where systemd starts them, and run a task."""

import asyncio
import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from taskq_client import TaskqClient
from taskq_server import Settings, migrations
from taskq_server.core.database import Database
from tests.examples.test_deploy import SERVER, is_served, start
from tests.support.keys import KeyStore
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

FOLDER = ROOT / "examples" / "deploy"
UNITS = FOLDER / "systemd"


def unit(name: str) -> ConfigParser:
    """A unit, whose sections may name no key twice."""
    found = ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((UNITS / name).read_text(encoding="utf-8"))
    return found


def variables(text: str) -> dict[str, str]:
    """What systemd reads of an environment file."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


async def migrate(url: str) -> None:
    """Make the tables."""
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()


def test_the_units_run_a_task(
    mariadb_server: MariaDBServer, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    shutil.copy(FOLDER / "words.py", tmp_path)
    asyncio.run(migrate(mariadb_url))
    port, metrics = free_port(), free_port()
    env = {
        "PATH": os.environ["PATH"],
        **variables((UNITS / "taskq.env").read_text(encoding="utf-8")),
        "TASKQ_DATABASE_URL": mariadb_url,
        "TASKQ_REDIS_URL": redis_url,
    }
    key = KeyStore(mariadb_url).make("tasks:read", "tasks:run:*").text
    api = start(unit("taskq-api.service"), port, env, tmp_path)
    of_worker = {**env, "TASKQ_METRICS_ADDRESS": str(metrics)}
    worker = start(unit("taskq-worker@.service"), port, of_worker, tmp_path)
    try:
        with TaskqClient(f"http://127.0.0.1:{port}", api_key=key) as client:
            wait_until(lambda: is_served(client, [api, worker]), 120, "words.count is served")
            assert client.run("words.count", {"text": "to be or not to be"}, timeout=180) == 6
        check = unit("taskq-check.service")["Service"]["ExecStart"].split()[1:]
        done = subprocess.run(
            [SERVER, *check], env=env, cwd="/", capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stdout
        assert [child.stop() for child in (api, worker)] == [0, 0]
    finally:
        for child in (api, worker):
            child.stop()


@pytest.mark.parametrize("name", ["taskq-api.service", "taskq-worker@.service"])
def test_the_units_can_be_enabled_and_stopped(name: str) -> None:
    service = unit(name)["Service"]
    assert unit(name)["Install"]["WantedBy"] == "multi-user.target"
    assert service["User"] == "taskq"
    assert service["WorkingDirectory"] == "/srv/app"
    assert service["EnvironmentFile"] == "/etc/taskq.env"
    assert service["RestartPreventExitStatus"] == "78"
    fields = Settings.model_fields
    if "worker" in name:
        needed = sum(
            fields[each].default
            for each in ("drain_seconds", "cancel_grace_seconds", "hook_seconds")
        )
        assert int(service["TimeoutStopSec"]) > needed
    given = variables(service.get("Environment", ""))
    assert {*given, *variables((UNITS / "taskq.env").read_text(encoding="utf-8"))} <= {
        f"TASKQ_{field.upper()}" for field in fields
    }


def test_the_timer_has_its_service() -> None:
    assert (UNITS / "taskq-check.service").exists()
    assert unit("taskq-check.timer")["Install"]["WantedBy"] == "timers.target"
    assert unit("taskq-check.timer")["Timer"]["OnCalendar"]
