"""`taskq-server settings`: what is in force, without passwords."""

import json

import pytest

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


def test_json_has_each_variable_with_its_value() -> None:
    found = json.loads(shown("settings", "--json").stdout)
    assert list(found) == VARIABLES
    assert found["TASKQ_HANDLERS"][0] == "reports"
    assert found["TASKQ_DATABASE_URL"] == "mysql://taskq@db.internal:3306/taskq"
    assert found["TASKQ_CONCURRENCY"] == 100


def test_a_value_that_cannot_be_used_is_the_sentence_of_the_other_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASKQ_PORT", "http")
    assert str(shown("settings").exception).startswith("TASKQ_PORT: ")
