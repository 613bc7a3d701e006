"""`taskq-server handlers`: all of them, one of them, and as JSON."""

import json
import re

import pytest

from tests.unit.server.cli.screen_files import compare, shown

MODULE = "tests.unit.server.cli.shown_handlers"
NAMES = ["reports.build", "reports.nothing", "reports.open", "reports.twice"]


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_fits_the_terminal(columns: int) -> None:
    done = shown("handlers", "--handlers", MODULE, columns=columns)
    assert done.exit_code == 0
    compare(done.stdout, "handlers", columns)


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("name", NAMES)
def test_one_fits_the_terminal(name: str, columns: int) -> None:
    done = shown("handlers", name, "--handlers", MODULE, columns=columns)
    assert done.exit_code == 0
    screen = re.sub(r"\S*/tests/(.*):\d+", r"tests/\1:LINE", done.stdout)
    compare(screen, name, columns)


def test_json_is_all_of_it() -> None:
    done = shown("handlers", "--json", "--handlers", MODULE)
    listed = json.loads(done.stdout)
    assert [each["name"] for each in listed] == NAMES
    one = json.loads(shown("handlers", "reports.build", "--json", "--handlers", MODULE).stdout)
    assert one == listed[0]
    assert one["max_retries"] == 5
    assert one["timeout_seconds"] == 90
    assert one["retry_on"] == ["OSError", "TimeoutError"]
    assert one["runs_in"] == "loop"
    assert one["file"].endswith("shown_handlers.py")
    assert [each["name"] for each in one["parameters"]] == [
        *("month", "pages", "format", "copies", "text"),
    ]
    assert one["parameters"][0] == {"name": "month", "type": "str", "required": True}
    assert one["schema"]["properties"]["copies"]["minimum"] == 1


def test_the_defaults_of_the_server_are_those_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_MAX_RETRIES", "9")
    done = shown("handlers", "reports.nothing", "--handlers", MODULE)
    assert "9 (the server's default)" in done.stdout


def test_a_name_that_is_not_there_is_one_sentence() -> None:
    done = shown("handlers", "reports.biuld", "--handlers", MODULE)
    assert "there is no handler reports.biuld: did you mean reports.build?" in str(done.exception)
    done = shown("handlers", "x")
    assert "there are none: name their modules with --handlers" in str(done.exception)


def test_no_handlers_are_said_and_an_empty_list() -> None:
    done = shown("handlers")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "There are no handlers: name their modules with --handlers.\n"
    assert json.loads(shown("handlers", "--json").stdout) == []
