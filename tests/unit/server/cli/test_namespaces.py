"""`taskq-server namespaces`, on terminals of several widths."""

import json
from datetime import UTC, datetime

import pytest
from click import unstyle

from taskq_server.cli.namespaces import table
from taskq_server.services.namespaces import NamespaceUse
from tests.unit.server.cli.screen_files import compare, shown

AT = datetime(2026, 11, 26, tzinfo=UTC)
USES = [
    NamespaceUse("default", AT, 1_234_567, 12),
    NamespaceUse("n" * 64, AT, 0, 0),
    NamespaceUse("øther", AT, 3, 1),
]


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_fits_the_terminal(columns: int) -> None:
    compare(unstyle(table(USES, columns)) + "\n", "namespaces", columns)


def test_made_and_listed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_DATABASE_URL", url)
    assert shown("namespaces", "create", "rockets").output == "rockets: made\n"
    assert shown("namespaces", "create", "rockets").output == "rockets: exists already\n"
    listed = json.loads(shown("namespaces", "list", "--json").output)
    assert [(one["name"], one["tasks"], one["queues"]) for one in listed] == [
        ("default", 0, 0),
        ("rockets", 0, 0),
    ]
    assert listed[0]["created_at"].endswith("Z")
    assert "2 namespaces" in shown("namespaces", "list").output


def test_no_namespace_is_called_everything(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_DATABASE_URL", url)
    refused = shown("namespaces", "create", "*")
    assert "stands for all namespaces" in str(refused.exception)
