"""`taskq-server check`, as the process that an operator or a monitor starts."""

import asyncio
import json

import pytest

from taskq_server.cli.check import screen
from taskq_server.doctor.checks import CHECKS
from taskq_server.doctor.findings import Finding, Outcome
from taskq_server.domain.errors import ConfigurationError
from tests.support.faketime import skewed
from tests.support.mariadb import MariaDBServer
from tests.support.patients import make_well
from tests.support.processes import run_server_command
from tests.support.stack import NewStack
from tests.support.waiting import wait_until
from tests.unit.server.cli.screen_files import shown

SECRET = "S3CRET"


@pytest.fixture
def deployed(sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a deployment with which all is well."""
    asyncio.run(make_well(sqlite_url))
    monkeypatch.setenv("TASKQ_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("TASKQ_REDIS_URL", redis_url)


def wrong_of(stdout: str) -> dict[str, str]:
    """What is wrong according to --json."""
    said = json.loads(stdout)
    wrong = {one["check"]: one["says"] for one in said["checks"] if one["outcome"] == "wrong"}
    assert said["ok"] == (not wrong)
    return wrong


def of_process(settings: dict[str, str]) -> tuple[int, dict[str, str]]:
    """The status of a process with these variables, and what is wrong."""
    done = run_server_command(["check", "--json"], settings)
    assert done.stderr == ""
    return done.returncode, wrong_of(done.stdout)


@pytest.mark.usefixtures("deployed")
def test_all_is_well() -> None:
    done = shown("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith(f"nothing of {len(CHECKS)} is wrong\n")
    done = shown("check", "--json")
    assert (done.exit_code, wrong_of(done.stdout), done.stderr) == (0, {}, "")
    names = [one["check"] for one in json.loads(done.stdout)["checks"]]
    assert names == [each.name for each in CHECKS]


@pytest.mark.usefixtures("deployed")
def test_what_is_wrong_is_a_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_NAMESPACE", "eu")
    exposed = ["--host", "0.0.0.0", "--auth", "off"]
    done = shown("check", *exposed)
    assert (done.exit_code, done.stderr) == (1, "")
    assert sum(line.startswith("wrong ") for line in done.stdout.splitlines()) == 2
    assert done.stdout.endswith(f"2 of {len(CHECKS)} are wrong\n")
    done = shown("check", "--json", *exposed)
    assert (done.exit_code, set(wrong_of(done.stdout))) == (1, {"exposure", "namespaces"})


@pytest.mark.usefixtures("deployed")
def test_a_check_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_HOST", "0.0.0.0")
    monkeypatch.setenv("TASKQ_AUTH", "off")
    assert shown("check").exit_code == 1
    done = shown("check", "--json", "--without", "exposure", "--without", "database")
    assert (done.exit_code, wrong_of(done.stdout)) == (0, {})
    assert "redis-eviction" in str(shown("check", "--without", "nonsense").stderr)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TASKQ_PORT": "http"}, "TASKQ_PORT: "),
        ({"TASKQ_DATABASE_URL": f"mysql+asyncmy://a:{SECRET}@h/d?x=1"}, "TASKQ_DATABASE_URL: "),
        ({"TASKQ_REDIS_URL": f"http://:{SECRET}@h"}, "TASKQ_REDIS_URL: "),
        ({"TASKQ_ADMIN_KEY_FILE": "/no/such/file"}, "TASKQ_ADMIN_KEY_FILE: "),
        (
            {"TASKQ_DATABASE_URL": f"mysql+asyncmy://a:{SECRET}@h/d", "TASKQ_REDIS_URL": ""},
            "set TASKQ_REDIS_URL",
        ),
    ],
)
def test_settings_that_cannot_work(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    done = shown("check", "--json")
    wrong = wrong_of(done.stdout)
    assert (done.exit_code, list(wrong)) == (78, ["settings"])
    assert wrong["settings"].startswith(said)
    assert SECRET not in done.output
    plain = shown("check")
    assert isinstance(plain.exception, ConfigurationError)  # `main` makes 78 of it
    assert str(plain.exception) == wrong["settings"]


def test_the_status_of_a_process_with_settings_that_cannot_work() -> None:
    done = run_server_command(["check"], {"TASKQ_PORT": "http"})
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("taskq-server: TASKQ_PORT: ")
    assert done.stderr.count("\n") == 1


def test_servers_that_are_away_show_no_password() -> None:
    away = {
        "TASKQ_DATABASE_URL": f"mysql+asyncmy://taskq:{SECRET}@127.0.0.1:1/taskq",
        "TASKQ_REDIS_URL": f"redis://taskq:{SECRET}@127.0.0.1:1/0",
    }
    status, wrong = of_process(away)
    assert (status, set(wrong)) == (1, {"database", "redis"})
    assert SECRET not in str(wrong)


def test_a_machine_whose_clock_is_wrong(
    mariadb_server: MariaDBServer, mariadb_url: str, redis_url: str
) -> None:
    settings = {"TASKQ_DATABASE_URL": mariadb_url, "TASKQ_REDIS_URL": redis_url}
    status, wrong = of_process({**settings, **skewed(90)})
    assert status == 1
    assert "s behind this machine's" in wrong["clock"]


def test_workers_that_come_and_go(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings={"TASKQ_LEASE_SECONDS": "2"})
    settings = {
        "TASKQ_DATABASE_URL": stack.database_url,
        "TASKQ_REDIS_URL": str(stack.redis_url),
    }
    assert of_process(settings) == (0, {})
    stack.kill_worker()

    def is_noticed() -> bool:
        return {"workers", "handlers"} == set(of_process(settings)[1])

    wait_until(is_noticed, 60, "the worker that is gone")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_it_fits_the_terminal(columns: int) -> None:
    found = {
        each.name: Finding(outcome, f"{outcome} \x1b[31m\u202e " + "and words " * 30)
        for each, outcome in zip(CHECKS, list(Outcome) * 9, strict=False)
    }
    lines = screen(found, columns).splitlines()
    plain = [line.replace("\x1b[32m", "").replace("\x1b[31m", "") for line in lines]
    assert (
        max(len(line.replace("\x1b[33m", "").replace("\x1b[0m", "")) for line in plain) <= columns
    )
    assert "\u202e" not in "".join(lines)
    assert "\\x1b[31m" in "".join(lines)


def test_the_names_of_checks_are_plain_and_each_has_its_turn() -> None:
    seen: set[str | None] = {None}
    for each in CHECKS:
        assert each.after in seen
        assert each.name not in seen
        seen.add(each.name)
