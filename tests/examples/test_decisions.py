"""The decisions are listed, and the names of the original request are in their places."""

import re
from pathlib import Path

import pytest

import taskq_server
from taskq_client import Task
from taskq_server.schemas.task import TaskCreate, TaskRead
from taskq_server.worker import functions
from taskq_server.worker.settings import WorkerSettings
from tests.examples.documents import table_rows
from tests.support.processes import ROOT

FOLDER = ROOT / "docs" / "decisions"
ORIGIN = FOLDER / "0000-origin.md"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
SERVER = ROOT / "packages" / "taskq-server" / "src" / "taskq_server"

_LISTED = re.compile(r"^\* (\d{4}): \[(.+)\]\((.+)\)$", re.MULTILINE)


def test_the_list_names_every_decision_once() -> None:
    listed = _LISTED.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert len(DECISIONS) > 30
    assert sorted(listed) == [(path.name[:4], title(path), path.name) for path in DECISIONS]


def test_numbers_are_unique_and_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(len(DECISIONS)))
    assert {path.name for path in FOLDER.iterdir()} == {p.name for p in DECISIONS} | {"README.md"}


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_says_what_it_has_to(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert [line for line in text.splitlines() if len(line) > 120 and line[0] != "|"] == []


def test_the_names_of_the_original_request_are_in_their_places() -> None:
    here = {name: cell for names, cell in table_rows(ORIGIN, "## Decision") for name in code(names)}
    assert set(here) == {
        *("src/", "poc/", "run_worker.sh"),
        *("WorkerSettings", "execute_task", "job_timeout", "max_tries"),
        *("on_retry", "on_job_failure"),
        *("status", "priority", "tags", "current_retry_count"),
    }
    assert [path for path in code(here["src/"]) if not is_there(path)] == []
    assert is_there(code(here["poc/"])[0])
    assert code(here["WorkerSettings"]) == ["worker/settings.py"]
    assert {"job_timeout", "max_tries"} <= set(WorkerSettings.__dataclass_fields__)
    for name in ("execute_task", "on_retry", "on_job_failure"):
        assert code(here[name]) == ["worker/functions.py"]
        assert callable(getattr(functions, name))
    assert {"on_retry", "on_job_failure"} <= set(taskq_server.__all__)
    assert {"timeout_seconds", "max_retries"} <= set(TaskCreate.model_fields)
    for name in ("status", "priority", "tags", "current_retry_count"):
        assert name in TaskRead.model_fields
        assert name in Task.model_fields


def test_run_worker_is_the_command() -> None:
    (cell,) = (cell for name, cell in table_rows(ORIGIN, "## Decision") if "run_worker" in name)
    script, command = code(cell)
    assert f'exec {command} "$@"' in (ROOT / script).read_text(encoding="utf-8")


def title(path: Path) -> str:
    """The title of a decision, without its number."""
    return path.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2]


def code(cell: str) -> list[str]:
    """What a cell of a table has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def is_there(path: str) -> bool:
    """Whether a path is in the repository, or in the package of the server."""
    return (ROOT / path).exists() or (SERVER / path).exists()
