"""What `taskq` asks back when a word is wrong, and what it offers before."""

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from taskq_client.cli import main
from taskq_client.testing import FakeTaskq
from tests.unit.client.terminal import Server, on_terminal, use


def taskq(*arguments: str, **variables: str) -> Result:
    result = CliRunner().invoke(main, arguments, prog_name="taskq", env=variables)
    assert isinstance(result.exception, SystemExit | None)
    return result


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTaskq:
    fake = FakeTaskq()

    def make(url: str | None, **options: Any) -> object:
        return fake.client(url=url, **options)

    monkeypatch.setattr("taskq_client.cli.session.TaskqClient", make)
    return fake


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("lsit", "No such command 'lsit' (did you mean 'list'"),
        ("Get x", "No such command 'Get' (did you mean 'get'"),
        ("list --stats failed", "--status"),
        ("list --status faild", "'cancelled' (did you mean 'failed'?)"),
        ("list --status FAILED", "'cancelled' (did you mean 'failed'?)"),
        ("list --priority hgh", "'urgent' (did you mean 'high'?)"),
        ("submit h --priority nromal", "'urgent' (did you mean 'normal'?)"),
    ],
)
def test_a_misspelt_word_is_asked_back(words: str, hint: str) -> None:
    result = taskq(*words.split())

    assert result.exit_code == 2
    assert "(did you mean " in result.stderr
    assert hint in result.stderr
    assert result.stderr.count("\n") == 1
    assert "?;" not in result.stderr


@pytest.mark.parametrize("words", ["xyzzy", "list --status xyzzy", "submit xyzzy"])
def test_a_word_that_is_near_nothing_is_not(words: str, fake: FakeTaskq) -> None:
    assert "did you mean" not in taskq(*words.split()).stderr


@pytest.mark.parametrize("command", ["submit", "run"])
def test_the_nearest_handler_and_field_are_named(command: str, fake: FakeTaskq) -> None:
    handler = taskq(command, "taskq.ecko", "value:=1")
    field = taskq(command, "taskq.sleep", "secnds:=1")

    assert (handler.exit_code, field.exit_code) == (3, 3)
    assert "called taskq.ecko (did you mean 'taskq.echo'?) (422 unknown-h" in handler.stderr
    assert "the handler taskq.sleep (did you mean 'seconds'?) (422 invalid-p" in field.stderr
    assert "check the name, or start a worker" in handler.stderr


def test_a_server_that_cannot_tell_leaves_the_refusal_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = {"code": "unknown-handler", "detail": "None such."}

    def serve(request: httpx.Request) -> httpx.Response:
        head = {"content-type": "application/problem+json"}
        status = 422 if request.method == "POST" else 400
        return httpx.Response(status, json=problem, headers=head)

    use(serve, monkeypatch)
    result = taskq("submit", "h")

    assert result.exit_code == 3
    assert result.stderr.startswith("taskq: None such (422 unknown-handler); check the name")


def test_a_list_that_finds_something_asks_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    use(server, monkeypatch)

    on_terminal(["list", "--handler", "films.encode"], monkeypatch, columns=80)

    assert [url.path for url in server.asked] == ["/tasks"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("taskq list --status re", ["retrying"]),
        ("taskq list --priority u", ["urgent"]),
        ("taskq list --queue f", ["films"]),
        ("taskq submit h --queue d", ["default"]),
        ("taskq list --tag m", ["monthly"]),
        ("taskq run h --tag m", ["monthly"]),
        ("taskq list --handler fi", ["films.encode"]),
        ("taskq submit reports.build m", ["month="]),
        ("taskq submit reports.build month=x r", ["rows:="]),
        ("taskq run reports.build d", ["draft:=true", "draft:=false"]),
        ("taskq run reports.build --tag t k", ["kind=pdf", "kind=html"]),
        ("taskq run unknown m", []),
        ("taskq attempts 01a0f76f", ["01a0f76f-65a0-7001-aada-2f3065fada02"]),
    ],
)
def test_values_are_completed(
    words: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Server(), monkeypatch)
    count = str(words.count(" "))
    variables = {"_TASKQ_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}

    lines = taskq(**variables).stdout.splitlines()
    assert [line.partition(",")[2] for line in lines if line] == found


def test_bash_writes_no_space_behind_the_key_of_a_field(tmp_path: Path) -> None:
    command = tmp_path / "taskq"
    command.write_text("#!/bin/sh\necho plain,$word\n")
    command.chmod(0o700)
    script = taskq("completion", "bash").stdout + (
        "compopt() { echo $*; }\n"
        "for word in month= title rows:=; do\n"
        f"  export word; COMPREPLY=(); _taskq_completion {command}; echo $COMPREPLY\n"
        "done\n"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "-o nospace\nmonth=\ntitle\n-o nospace\nrows:=\n"


@pytest.mark.parametrize("words", ["-h", "submit -h", "list -h", "attempts -h"])
def test_h_is_help(words: str) -> None:
    assert taskq(*words.split()).stdout == taskq(*words.replace("-h", "--help").split()).stdout


def test_a_title_prefix_has_an_option_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    use(server, monkeypatch)

    taskq("list", "--title-prefix", "Oct")
    taskq("list", "--q", "Oct")

    assert [url.params["q"] for url in server.asked] == ["Oct", "Oct"]
