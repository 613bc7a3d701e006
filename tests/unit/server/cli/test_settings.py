"""`taskq-server settings`: what is in force, without passwords."""

import json

import pytest

from taskq_server.core import cpus
from taskq_server.core.config import Settings
from tests.unit.server.cli.screen_files import shown

SECRET = "S3CRET"
VARIABLES = [f"TASKQ_{name.upper()}" for name in Settings.model_fields]


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"mysql+asyncmy://taskq:{SECRET}@db.internal:3306/taskq?ssl=true"
    monkeypatch.setenv("TASKQ_DATABASE_URL", url)
    monkeypatch.setenv("TASKQ_REDIS_URL", f"rediss://:{SECRET}@cache.internal:6379/0")
    monkeypatch.setenv("TASKQ_HANDLERS", "reports,mails.of_the_accounting_department,invoices")


@pytest.mark.parametrize("columns", [60, 80])
def test_all_of_them_fit_the_terminal(columns: int) -> None:
    done = shown("settings", columns=columns)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    named = [line[2:].partition(" ")[0] for line in lines if line[2:].startswith("TASKQ_")]
    assert named == VARIABLES
    assert "  TASKQ_CONCURRENCY               100" in lines
    assert any(line.startswith("* TASKQ_HANDLERS") for line in lines)
    assert done.stdout.count("reports,mails.of_the_accounting_department,invoices") == 1
    assert SECRET not in done.output


def test_json_has_each_variable_with_its_value_and_where_that_comes_from() -> None:
    found = json.loads(shown("settings", "--json", "--port", "9", "--queues", "a,b").stdout)
    assert list(found) == VARIABLES
    assert found["TASKQ_HANDLERS"]["value"][0] == "reports"
    assert found["TASKQ_DATABASE_URL"] == {
        "value": "mysql://taskq@db.internal:3306/taskq",
        "from": "variable",
    }
    assert found["TASKQ_CONCURRENCY"] == {"value": 100, "from": "default"}
    assert found["TASKQ_PORT"] == {"value": 9, "from": "option"}
    assert found["TASKQ_QUEUES"] == {"value": ["a", "b"], "from": "option"}
    assert SECRET not in str(found)


def test_an_option_goes_before_its_variable_and_an_empty_one_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASKQ_CONCURRENCY", "7")
    monkeypatch.setenv("TASKQ_PORT", "tcp://10.0.0.1:80")  # of Kubernetes
    monkeypatch.setenv("TASKQ_THREADS", "")
    lines = shown("settings").stdout.splitlines()
    assert "* TASKQ_CONCURRENCY               7  (variable)" in lines
    assert "  TASKQ_PORT                      8000" in lines
    assert "  TASKQ_THREADS                   8" in lines
    lines = shown("settings", "--concurrency", "9").stdout.splitlines()
    assert "* TASKQ_CONCURRENCY               9  (option)" in lines


def test_what_stands_for_something_else_is_shown_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_NAMESPACE", "eu")
    found = json.loads(shown("settings", "--json", "--insecure-no-auth").stdout)
    assert found["TASKQ_NAMESPACES"] == {"value": ["eu"], "from": "default"}
    assert found["TASKQ_AUTH"]["value"] == "off"
    assert found["TASKQ_PROCESSES"]["value"] == cpus.usable()


def test_the_help_says_what_each_variable_is_for() -> None:
    told = " ".join(shown("settings", "--help").stdout.split())
    for name, field in Settings.model_fields.items():
        assert f"TASKQ_{name.upper()} {str(field.description).split()[0]}" in told


@pytest.mark.parametrize(
    ("command", "read", "not_read"),
    [
        ("api", "TASKQ_RATE_LIMIT", "TASKQ_LEASE_SECONDS"),
        ("worker", "TASKQ_LEASE_SECONDS", "TASKQ_RATE_LIMIT"),
        ("dev", "TASKQ_LEASE_SECONDS", "env: TASKQ_LEASE"),
        ("check", "TASKQ_DATABASE_POOL_SIZE", "env: TASKQ_LEASE"),
    ],
)
def test_the_help_of_a_command_names_the_variables_that_it_reads(
    command: str, read: str, not_read: str
) -> None:
    told = shown(command, "--help").stdout
    assert read in told
    assert not_read not in told
    assert told.count("TASKQ_LOG_LEVEL") == 1


def test_a_value_that_cannot_be_used_is_the_sentence_of_the_other_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASKQ_PORT", "http")
    assert str(shown("settings").exception).startswith("TASKQ_PORT: ")
